"""What people do on a page, and what the command API answers them."""

from typing import Any

from playwright.sync_api import Page, Route

# In place of the browser's: what comes by it is what a test lets come.
STREAM = """
window.streams = [];
window.EventSource = class extends EventTarget {
  static OPEN = 1;
  static CLOSED = 2;
  constructor(url) { super(); this.url = url; this.readyState = 1; streams.push(this); }
  close() { this.readyState = 2; }
};
window.tell = (version = 2) => void streams.at(-1).dispatchEvent(
  new MessageEvent('message', {data: JSON.stringify({item_id: 'lamp', version})}));
window.refuse = () => { streams.at(-1).close(); streams.at(-1).dispatchEvent(new Event('error')); };
window.connect = () => void streams.at(-1).dispatchEvent(new Event('open'));
window.after = () => new URL(streams.at(-1).url, location).searchParams.get('after');
window.live = () => streams.filter(({readyState}) => readyState !== 2).length;
window.look = (away) => {
  Object.defineProperty(document, 'hidden', {value: away, configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
};
"""


def answer(page: Page, status: int, document: dict[str, Any]) -> list[Any]:
    """Answer commands with this; returns those that came."""
    came: list[Any] = []

    def give(route: Route) -> None:
        came.append(route.request)
        route.fulfill(status=status, json=document)

    page.route("**/write/**", give)
    return came


def go(page: Page, path: str) -> None:
    page.goto(page.url.partition("/ui/")[0] + path)


def save(page: Page) -> None:
    page.locator("dialog[open] .actions button").last.click()
