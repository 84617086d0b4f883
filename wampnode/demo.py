"""The demo page: a WAMP client in the browser, for trying the router by hand."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.views.generic import TemplateView

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)


class DemoPage(TemplateView):
    """The page at `/`. Set the path and realm of its connection in the URLconf: `DemoPage.as_view(realm="realm2")`."""

    template_name = "demo.html"
    http_method_names = ["get", "head", "options"]

    websocket_path = "/ws"
    realm = "realm1"
    docs_url = "https://wamp-proto.org/"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            websocket_path=self.websocket_path, realm=self.realm, docs_url=self.docs_url, **kwargs
        )

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Return the response with a policy that allows the page to load from and connect to its own server only."""
        response = super().dispatch(request, *args, **kwargs)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response
