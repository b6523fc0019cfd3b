"""The probe's own program: it asks a port from within a container's network, where nothing else reaches.

A container under test has no network but its own loopback. A second container joins it there and runs this program,
so that no image has to be pulled, no shell is needed, and a remote engine is probed like a local one. Its source is
``relay.c``; it uses no libc and runs in an empty image. Built with:

    gcc -Os -static -nostdlib -nostartfiles -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables
        -fno-ident -fno-pic -no-pie -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-n -s relay.c

and for arm64 by ``aarch64-linux-gnu-gcc`` with ``-mno-outline-atomics``. What stands below is the result, deflated.
"""

from __future__ import annotations

import base64
import io
import tarfile
import zlib

ANSWER_LIMIT_BYTES = 65_536
"""What it reads of an answer."""

_PROGRAMS = {
    "amd64": (
        "c-pN~&1(}u6rbI6OKh#1h-ek01@~Y)By17!P$dIdnU%dr5(R6Km^KtFwx%oAOVb(y9YQ>L^ncJ})S7G)+jwi)gCJfMj7dz@dZ;MD"
        "u5UJp7%k$#cgXwty^ndnO+wMm@EnKQ!lToOc@L4__WiB+QO8dR#7+XvkGhb<#tJsRDebzpzR05v-JW!=tdDi0e-~Fv6Ivn3x0}@m"
        "VB@eBUBgdV4u|j(YaI?gVKd0W#-a$|%%rra$fj&)bdAuD8htMcDm6&TnDc0~03pa~^tDDSqQIiP#8V*LDoL4%vgRq0)T>0EEIeb)"
        "Mn>@^JX$1ln{_m^>}aG^x^G#QD5Q+pfgmjrTCBz(Ae$uG09e*xulzz3Mv6szL8agDc^t-}aF8T721$A#&(1=U4PLx^7W%1a)g>EZ"
        "&Yg*``{%cJ-Q0cE=poi}Cg57HS0UT4bfotv&Aeg*-lYuv5M9AbY^qAjIClh$*z$_Ab{mZR2i}jW!?0ey!K@*+s8ur|C7Y`O$;Gpc"
        "J@&>S$!)Ke<B-#K`(-mmC#AiB+n0c!0~~uah9^hA-tv-CKysotTY_xJCUhaROM+*^Wko@wn;QKj3fOwCq>LN)>X);}*o=%WxgIlG"
        ";qpKQq#nT`9O9h`*h@`cADkcFk92`ph58oGGID{HxjvgP!)7bd7ob-4%XiDF9fummo2O8JnP*s>t=R8s!fgubpMBHusi^PTxbD-V"
        ")2PEcfsl7*Vn&bakt@inkI(AJ8=o4B=n?c^q__3$cmMG}Y04?S6VLrt?{3A0T0Y~lshj>`v~&Hh+Ofl4J+0tD^!NEc08{!6rv"
    ),
    "arm64": (
        "c-o~@T}YE*6n?&+&8c(R52R>0NwC7Egr=jw52q1jkaJfN%sCgkDRu6`n$f3S+J(!Yo0Q!MZWMJB)rB>?61*D`-Ap#oG|~%&V2jq*"
        "dFMBE%RuOb!+Fnpp65B|yzjR?Xz#eha~v{@#~ZNd6{K`5sps|L4usB{2`51VF^$!v@!KoI%lMlDvb;{kb*^}OwK(`HQGHB+{{rwt"
        "9F`{Rz-9+v3k&woF+mLJbaF(19HE{*RZ{MnqS&f{u~uN=hoT(Q^P>^PS-YSmZVdvFln=oa>BR(XC~kp&El-Z{7~RoW5fEZJ8&qRS"
        "(1eVTt*g*1#1-YK!fO9kY$=}<RCUK#A93R7NT*vbKjyL9Pk>7_rF<WP-zd*&MoHro;f(jC2@b68E;i+xn_*ha@*yQ#^0E0s52`gA"
        "{7QVnTbTy0lag(mY_&i#cZbo53LLJi#z2sV?W0~wY6!Pq{xs!Bcr=)(Ua|36q*@H$xJuadV%d6@ynzdBy?h_oY8TMRW~RG8TBR4u"
        "TSfS*NN1Vua$1e2DPE(Po@N|!kv~jxrT1@({Ilu3Y-Ml7-e<m$&6hpvPvR;^xI|nqgyu`-h_omF-2(G+4eqXY!MtIISt&-6aaQRL"
        "3P@At6HPIpApLgkGUD;unoE=qaCqHPgiZWXY;z@2(&+AK4g-xbA@9rp^~L-!`7czT&5<C_wAh>M?NMprgG_TqFGpez;b;445uNV{"
        "FCAdEx_(cev+j<|TjzE5BP%+;_q*oqSs@Oc;L7!t>9bO@ij<->sCgq<E!jmn>tzS6hH;~1a#Wle5xb&`26j|IcAadPFwEn!p=6Su"
        ";;t-4ck=yY&nX{fKioD${iJqE!#fR#E>dh7bPswxUPlj1Ue}NpCQo0l!|Q;_<+k7QIBvV}->Z<#N~Znm|3Z!VY`mDmKcw={sd2X;"
        "seU^?o`dIde3`n>l#x}wtnwe_@OAs>3H!{YR~tR~kNTPQ2jIv`)&"
    ),
}


def knows(architecture: str) -> bool:
    """Whether there is a program for an engine's architecture, as image configs name it."""
    return architecture in _PROGRAMS


def program(architecture: str) -> bytes:
    """An ELF file for Linux. Raises KeyError for an architecture that is not known."""
    return zlib.decompress(base64.b85decode(_PROGRAMS[architecture]))


def file_system(architecture: str) -> bytes:
    """A tar with the program as ``/relay``, to be imported as an image."""
    content = program(architecture)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("relay")
        member.size, member.mode = len(content), 0o555
        tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()
