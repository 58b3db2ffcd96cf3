"""How a page keeps up with the ledger: whatever happens while it is loaded is on it in the end."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, Request, Route, expect

from domain.events import ItemRepriced
from tests.browser.acting import go, save
from tests.readmodel.conftest import Ledger
from tests.readmodel.web.stock import AT

LAMP = re.compile(r"/ui/items/lamp$")


def reprice(ledger: Ledger) -> None:
    ledger.add(ItemRepriced("lamp", AT, AT, 999, "EUR"))


def first(page: Page, does: Callable[[Route], None]) -> None:
    """Have this done to the next load of the lamp's page."""
    page.route(LAMP, does, times=1)


def test_what_comes_while_the_page_is_loaded_again_is_loaded_afterwards(
    page: Page, ledger: Ledger
) -> None:
    def load(route: Route) -> None:
        old = route.fetch()
        reprice(ledger)
        page.evaluate("tell()")
        route.fulfill(response=old)

    first(page, load)
    page.evaluate("tell()")
    expect(page.locator(".big")).to_have_text("9.99 EUR")


def test_a_form_that_is_opened_while_its_page_is_loaded_is_of_what_comes_and_opens_once(
    timed: Page, ledger: Ledger
) -> None:
    shows = "HTMLDialogElement.prototype.showModal"

    def load(route: Route) -> None:
        reprice(ledger)
        timed.evaluate(
            "for (const name of ['edit', 'delete', 'edit'])"
            " document.querySelector(`[data-opens=${name}]`).click()"
        )
        route.fulfill(response=route.fetch())

    timed.evaluate(
        f"window.shown = []; const show = {shows};"
        f"{shows} = function () {{ shown.push(this.id); show.call(this); }};"
        " undefined"
    )
    first(timed, load)
    timed.evaluate("tell()")
    timed.clock.run_for(700)
    expect(timed.locator("#edit")).to_be_visible()
    expect(timed.locator("#edit-price")).to_have_value("9.99")
    expect(timed.locator("#edit form")).to_have_attribute("data-version", "2")
    assert timed.evaluate("shown") == ["edit"]


def test_a_form_that_waits_for_its_page_is_called_off_by_escape_and_waits_no_longer_than_that(
    timed: Page,
) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    timed.route(LAMP, hold, times=1)
    timed.evaluate("tell()")
    with timed.expect_request(LAMP):
        timed.clock.run_for(700)
    edit, notice = timed.locator("#edit"), timed.locator("#edit [data-meanwhile]")
    timed.evaluate("document.querySelector('[data-opens=edit]').click()")
    timed.keyboard.press("Escape")
    timed.clock.run_for(400)
    assert not edit.is_visible()
    timed.evaluate("document.querySelector('[data-opens=edit]').click()")
    timed.clock.run_for(400)
    expect(edit).to_be_visible()
    # It is of a version that is not the last one.
    expect(notice).to_be_visible()
    held[0].abort()


def test_a_form_that_is_open_when_its_page_comes_stays_as_it_is(page: Page, ledger: Ledger) -> None:
    swaps = "document.addEventListener('htmx:after:swap', () => { window.swapped = true; })"

    def load(route: Route) -> None:
        reprice(ledger)
        new = route.fetch()
        page.evaluate(f"document.querySelector('#edit').showModal(); {swaps}")
        route.fulfill(response=new)

    first(page, load)
    page.evaluate("tell()")
    with page.expect_response(LAMP) as came:
        pass
    came.value.finished()
    edit = page.locator("#edit")
    expect(edit).to_be_visible()
    page.locator("#edit-name").fill("Mine")
    assert page.evaluate("window.swapped") is None
    page.locator("#edit-name").fill("Lamp")
    page.keyboard.press("Escape")
    expect(edit).to_be_hidden()
    expect(page.locator(".big")).to_have_text("9.99 EUR")


def test_a_page_that_can_not_be_loaded_says_so_once_and_is_loaded_later(
    page: Page, ledger: Ledger
) -> None:
    page.evaluate(
        "window.toasts = 0; void new MutationObserver((all) => all.forEach("
        " ({addedNodes}) => { toasts += addedNodes.length; }))"
        ".observe(document.querySelector('#toasts'), {childList: true})"
    )
    tries: list[Route] = []

    def fail(route: Route) -> None:
        tries.append(route)
        if len(tries) == 1:
            route.abort()
        else:
            route.fulfill(status=429, body="")

    reprice(ledger)
    page.route(LAMP, fail, times=2)
    page.evaluate("tell()")
    expect(page.locator(".toast")).to_contain_text("does not answer; this page is")
    expect(page.locator(".big")).to_have_text("9.99 EUR")
    assert page.evaluate("toasts") == 1


def test_events_that_come_together_are_loaded_together_and_again_once_the_stream_is_there(
    timed: Page, ledger: Ledger
) -> None:
    loads: list[Route] = []

    def fail(route: Route) -> None:
        loads.append(route)
        route.abort()

    timed.route(LAMP, fail, times=2)
    timed.evaluate("for (const version of [2, 3, 4]) tell(version)")
    timed.clock.run_for(699)
    assert loads == []
    timed.clock.run_for(1)
    expect(timed.locator(".toast")).to_be_visible()
    # While nobody answers nobody waits for what can not come.
    timed.get_by_role("button", name="Edit").click()
    expect(timed.locator("#edit")).to_be_visible()
    assert len(loads) == 1
    with timed.expect_event("requestfailed"):
        timed.keyboard.press("Escape")
    reprice(ledger)
    timed.evaluate("connect()")
    expect(timed.locator(".big")).to_have_text("9.99 EUR")
    assert len(loads) == 2


def test_what_was_written_is_waited_for_also_where_an_event_comes_and_a_load_fails(
    timed: Page,
) -> None:
    tokens: list[str | None] = []

    def note(request: Request) -> None:
        if LAMP.search(request.url):
            tokens.append(request.headers.get("consistency-token"))

    def fail(route: Route) -> None:
        timed.evaluate("tell()")
        route.abort()

    done = {"Consistency-Token": "0.9.x"}
    timed.route("**/write/**", lambda route: route.fulfill(json={"id": "lamp"}, headers=done))
    timed.on("request", note)
    timed.route(LAMP, fail)
    timed.get_by_role("button", name="Edit").click()
    timed.locator("#edit-name").fill("Mine")
    save(timed)
    expect(timed.locator(".toast.bad")).to_be_visible()
    with timed.expect_request(LAMP):
        timed.clock.run_for(1000)
    assert tokens == ["0.9.x", "0.9.x"]


def test_filters_that_are_answered_late_are_answered_once_more(page: Page, ledger: Ledger) -> None:
    go(page, "/ui/")

    def late(route: Route) -> None:
        old = route.fetch()
        reprice(ledger)
        page.evaluate("tell()")
        # The event has had its load, and now comes what does not know of it.
        with page.expect_response(lambda each: each.url.endswith("/ui/")):
            pass
        route.fulfill(response=old)

    page.route(re.compile(r"/ui/\?.*q=lamp"), late, times=1)
    page.locator("#q").fill("lamp")
    expect(page.locator("#rows")).to_contain_text("9.99 EUR")


def test_a_load_of_what_was_asked_for_before_is_not_shown(page: Page, ledger: Ledger) -> None:
    def load(route: Route) -> None:
        old = route.fetch()
        reprice(ledger)
        page.evaluate("history.replaceState(null, '', '?version=1')")
        route.fulfill(response=old)

    first(page, load)
    with page.expect_request(re.compile(r"lamp\?version=1")):
        page.evaluate("tell()")


def test_a_page_follows_from_what_it_shows(page: Page) -> None:
    for path, part in (("/ui/items/lamp", "#item"), ("/ui/", "#catalogue"), ("/ui/feed", "#feed")):
        go(page, path)
        shown = page.locator(part).get_attribute("data-cursor")
        assert shown != "head"
        assert page.evaluate("after()") == shown


def test_following_that_is_refused_is_tried_again_from_what_the_page_shows_by_then(
    timed: Page, ledger: Ledger
) -> None:
    before = timed.evaluate("after()")
    reprice(ledger)
    timed.evaluate("refuse()")
    expect(timed.locator(".live")).to_have_text("Not connected")
    timed.clock.run_for(5_000)
    expect(timed.locator(".big")).to_have_text("9.99 EUR")
    shown = timed.locator("#item").get_attribute("data-cursor")
    assert before != timed.evaluate("after()") == shown
    timed.evaluate("connect()")
    expect(timed.locator(".live")).to_have_text("Live")


def test_a_cursor_that_is_refused_twice_is_given_up_for_the_head(timed: Page) -> None:
    for pause in (5_000, 10_000):
        with timed.expect_response(LAMP):
            timed.evaluate("refuse()")
            timed.clock.run_for(pause)
    expect(timed.locator(".live")).to_have_text("Connecting")
    assert timed.evaluate("after()") == "head"
    # What happened meanwhile is not told by a stream that begins there.
    with timed.expect_response(LAMP):
        timed.evaluate("connect()")
        timed.clock.run_for(700)


def test_there_is_one_stream_whatever_happens_while_it_is_refused(timed: Page) -> None:
    timed.evaluate("refuse(); look(true); look(false); refuse(); look(true); look(false)")
    assert timed.evaluate("live()") == 1
    with timed.expect_response(LAMP) as came:
        timed.evaluate("refuse()")
        timed.clock.run_for(20_000)
    came.value.finished()
    timed.evaluate("look(true)")
    timed.clock.run_for(60_000)
    assert timed.evaluate("live()") == 0
    timed.evaluate("look(false)")
    timed.clock.run_for(60_000)
    assert timed.evaluate("live()") == 1


def test_a_load_that_nobody_ever_answers_is_given_up(timed: Page, ledger: Ledger) -> None:
    timed.add_init_script(
        "AbortSignal.timeout = (after) => { const given = new AbortController();"
        " setTimeout(() => given.abort(), after); return given.signal; }"
    )
    timed.reload()
    timed.route(LAMP, lambda _: None, times=1)
    timed.evaluate("tell()")
    with timed.expect_request(LAMP):
        timed.clock.run_for(700)
    reprice(ledger)
    timed.clock.run_for(15_000)
    expect(timed.locator(".toast")).to_contain_text("does not answer")
    timed.clock.run_for(1_000)
    expect(timed.locator(".big")).to_have_text("9.99 EUR")


def test_who_is_signed_out_is_told_so_once_until_signed_in_again(timed: Page) -> None:
    timed.route(LAMP, lambda route: route.fulfill(status=401, body=""), times=2)
    toast = timed.locator(".toast")
    for _ in range(2):
        with timed.expect_response(LAMP):
            timed.evaluate("tell()")
            timed.clock.run_for(700)
        expect(toast).to_contain_text("You are signed out")
    timed.evaluate("tell()")
    timed.clock.run_for(700)
    expect(toast).to_have_count(0)


def test_that_a_list_may_have_changed_is_asked_once(timed: Page) -> None:
    go(timed, "/ui/")
    timed.evaluate("document.querySelector('#rows').dataset.page = 0")
    for _ in range(2):
        timed.evaluate("tell()")
        timed.clock.run_for(700)
        again = timed.get_by_role("button", name="Load again")
        expect(again).to_be_visible()
        again.focus()
        timed.evaluate("document.activeElement.dataset.first = ''")
    expect(again).to_have_attribute("data-first", "")
    assert timed.locator(".toast").count() == 1
