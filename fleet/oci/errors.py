"""What can go wrong between us and the place an image is kept.

    RegistryError
    ├── InvalidReference      the text is not a reference
    ├── Unreachable           no answer: DNS, refused, TLS, timeout          (temporary)
    │   ├── UntrustedCertificate
    │   ├── TimedOut          an answer that took longer than we listen
    │   ├── UnknownHost       a name without an address
    │   └── CutShort          an answer that ended before its end
    ├── Unauthorized          the login was refused or is missing
    ├── NotFound              no such repository, tag, manifest or blob
    ├── RateLimited           429, with the wait the registry asked for      (temporary)
    ├── ServerFailure         5xx                                            (temporary)
    ├── InvalidResponse       an answer that is not the protocol (HTML, bad JSON, wrong type)
    ├── TooLarge              a body, layer or count over our limit
    ├── DigestMismatch        the bytes are not the ones that were asked for
    ├── CorruptLayer          a blob that cannot be inflated or is no tar
    └── UnsupportedMediaType  a manifest that is no image we can weigh

Each carries one sentence for people: what happened, where, what to do next. It never holds a credential.
"""


class RegistryError(Exception):
    """An image or a listing could not be read. ``temporary`` says whether trying again may help."""

    temporary = False


class InvalidReference(RegistryError):
    pass


class Unreachable(RegistryError):
    temporary = True


class UntrustedCertificate(Unreachable):
    """TLS is spoken, but by someone we cannot vouch for: no reason to try without it."""


class UnknownHost(Unreachable):
    """DNS was asked, by itself more than once: asking again at once says the same."""


class TimedOut(Unreachable):
    """Waiting has been tried: asking again at once would wait as long again."""


class CutShort(Unreachable):
    pass


class Unauthorized(RegistryError):
    pass


class NotFound(RegistryError):
    pass


class RateLimited(RegistryError):
    """429. ``retry_after_seconds`` is None when the registry named no wait."""

    temporary = True

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ServerFailure(RegistryError):
    """``status`` and ``retry_after_seconds`` are what an HTTP answer said, None elsewhere."""

    temporary = True

    def __init__(self, message: str, status: int | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class InvalidResponse(RegistryError):
    pass


class TooLarge(RegistryError):
    pass


class DigestMismatch(RegistryError):
    pass


class CorruptLayer(RegistryError):
    pass


class UnsupportedMediaType(RegistryError):
    pass
