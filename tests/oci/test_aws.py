"""AWS's published test suite of Signature Version 4: the requests, and the signatures that they must have."""

from datetime import UTC, datetime

import pytest

from fleet.oci.aws import AccessKey, Request, signed
from fleet.oci.errors import InvalidReference

KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SESSION = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
MOMENT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
HOST = "example.amazonaws.com"
FORM = b"Param1=value1"
FORM_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Content-Length": "13",
    "x-amz-content-sha256": "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
}
VECTORS = {
    "get-vanilla": (
        Request("GET", HOST),
        "host;x-amz-date",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "get-vanilla-query-order-key-case": (
        Request("GET", HOST, query="Param2=value2&Param1=value1"),
        "host;x-amz-date",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-utf8": (
        Request("GET", HOST, "/%E1%88%B4"),
        "host;x-amz-date",
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    "post-vanilla": (
        Request("POST", HOST),
        "host;x-amz-date",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "post-x-www-form-urlencoded": (
        Request("POST", HOST, headers=FORM_HEADERS, body=FORM),
        "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
        "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_published_requests_get_the_published_signatures(name):
    request, names, signature = VECTORS[name]
    headers = signed(request, KEY, region="us-east-1", service="service", at=MOMENT)
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    assert headers["X-Amz-Date"] == "20150830T123600Z"
    assert "X-Amz-Security-Token" not in headers


def test_a_session_token_is_sent_and_signed():
    key = AccessKey(KEY.identifier, KEY.secret, SESSION)
    headers = signed(Request("GET", HOST), key, region="us-east-1", service="service", at=MOMENT)
    assert headers["X-Amz-Security-Token"] == SESSION
    assert headers["Authorization"].endswith(
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    )


def test_a_session_token_follows_the_secret_after_a_colon():
    assert AccessKey.parse(" AKIDEXAMPLE ", f"{KEY.secret}\n") == KEY
    assert AccessKey.parse("AKIDEXAMPLE", f"{KEY.secret}:{SESSION}==") == AccessKey(
        "AKIDEXAMPLE", KEY.secret, f"{SESSION}=="
    )


@pytest.mark.parametrize(
    ("identifier", "secret"),
    [("", "secret"), ("AKIDEXAMPLE", ""), ("AKID EXAMPLE", "secret"), ("AKIDEXAMPLE", "two words"), ("AKID\r\n", "ü")],
)
def test_what_is_no_key_is_refused_without_being_repeated(identifier, secret):
    with pytest.raises(InvalidReference) as caught:
        AccessKey.parse(identifier, secret)
    assert "secret access key" in str(caught.value)
    assert not secret or secret not in str(caught.value).replace("secret access key", "")


def test_a_key_hides_its_secrets():
    assert "wJalr" not in repr(KEY)
    assert SESSION not in repr(AccessKey("AKIDEXAMPLE", "s", SESSION))
