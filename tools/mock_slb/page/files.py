"""The page's files, and what a browser is told of everything that is not the API's answer."""

from __future__ import annotations

from pathlib import Path

from werkzeug.wrappers import Request, Response

PREFIX = "/_mock/page/"

_HERE = Path(__file__).parent
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "connect-src 'self'",
        "img-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # a text from the account that a script took for HTML would be an error, not HTML
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def page(request: Request) -> Response:
    """The page itself."""
    return guarded(request, _file(_HERE / "index.html"))


def find(method: str, name: str) -> Response | None:
    """One of the files by its name; None for a name that none of them has."""
    path = next((one for one in _HERE.iterdir() if one.name == name), None)
    if path is None or path.suffix not in _TYPES or method not in {"GET", "HEAD"}:
        return None
    return _file(path)


def guarded(request: Request, response: Response) -> Response:
    """The same for this browser alone, and without its body where the browser has that already."""
    response.headers.update(_HEADERS)
    if request.method in {"GET", "HEAD"} and response.status_code == 200:
        response.add_etag()
        response.make_conditional(request)
    return response


def _file(path: Path) -> Response:
    return Response(path.read_bytes(), content_type=_TYPES[path.suffix])
