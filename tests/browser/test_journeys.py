"""What people do on the pages, in a real browser, against the whole service."""

import base64
import gzip
from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from redis import Redis
from sqlalchemy import update

from domain.commands import PatchItem
from eventlog import keys
from eventlog.codec import encode
from eventlog.envelope import Envelope
from ledger import tables
from ledger.engines import writing_engine
from tests.browser.browser import Window, window
from tests.browser.stock import patch, put, write
from tests.journey import Deployment
from tests.worker.world import NOW, envelope

BAD = b'{"id":"bad","item":"broken","at":1,"op":"of a later release"}'


def save(page: Page) -> None:
    page.locator("dialog[open] .actions button").last.click()


def test_an_item_is_found_created_edited_and_changed_while_somebody_looks(
    browser: Browser, deployment: Deployment, mine: Window
) -> None:
    write(deployment, *(put(f"chair-{n}", f"Chair {n:02}", 100 + n) for n in range(60)))
    page = mine.page
    mine.go("/ui/?sort=name&q=chair")
    # More of them come when the end is in sight.
    expect(page.locator("#rows tr")).to_have_count(51)
    page.locator("#more").scroll_into_view_if_needed()
    expect(page.locator("#rows tr")).to_have_count(60)
    # Whoever has gone on is told, and not thrown back.
    expect(page.locator(".live")).to_have_attribute("data-state", "on")
    write(deployment, put("chair-0", "Chair 00", 1))
    expect(page.get_by_text("Something may have changed")).to_be_visible()
    expect(page.locator("#rows tr")).to_have_count(60)
    page.fill("#q", "chair 42")
    expect(page.locator(".title-link")).to_have_text(["Chair 42"])
    expect(page.locator("#q")).to_be_focused()
    page.fill("#min", "cheap")
    expect(page.locator("#min-wrong")).to_contain_text("12.99")

    # By keyboard alone.
    page.get_by_role("button", name="New item").press("Enter")
    page.get_by_label("Name").fill(" ")
    page.get_by_label("Price", exact=True).fill("12.999")
    page.keyboard.press("Enter")
    expect(page.locator("#create-price-wrong")).to_contain_text("12.99")
    page.get_by_label("Price", exact=True).fill("1299,90")
    page.keyboard.press("Enter")
    expect(page.locator("#create-name-wrong")).to_contain_text("visible character")
    expect(page.get_by_label("Name")).to_be_focused()
    page.get_by_label("Name").fill("Desk lamp")
    page.locator("#create-id").fill("desk-lamp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/items/desk-lamp")
    expect(page.locator("h1")).to_have_text("Desk lamp")
    expect(page.locator(".big")).to_have_text("1,299.90 EUR")
    expect(page.get_by_role("region", name="Price over time")).to_contain_text("EUR since")

    with window(browser, deployment.query_url) as other:
        other.go("/ui/items/desk-lamp")
        expect(other.page.locator(".live")).to_have_attribute("data-state", "on")
        other.page.evaluate("window.isTheSame = true")
        page.get_by_role("button", name="Edit").click()
        page.locator("#edit-price").fill("999")
        page.locator("#edit-reason").fill("<i>sale</i>")
        save(page)
        for each in (page, other.page):
            expect(each.locator(".big")).to_have_text("999.00 EUR")
            newest = each.locator("#history li").first
            expect(newest).to_contain_text("Price changed")
            expect(newest.locator("blockquote")).to_have_text("<i>sale</i>")
            # Nothing of the chart is pointed at.
            expect(each.locator(".u-legend")).to_contain_text("999.00")
        assert other.page.evaluate("window.isTheSame") is True
        assert other.complaints == []


def test_a_conflict_is_a_choice_between_both_values(deployment: Deployment, mine: Window) -> None:
    write(deployment, put("vase", "Vase", 1000, description="Blue."))
    page = mine.page
    mine.go("/ui/items/vase")
    expect(page.locator(".live")).to_have_attribute("data-state", "on")
    page.get_by_role("button", name="Edit").click()
    page.locator("#edit-price").fill("12")
    page.locator("#edit-name").fill("Large vase")
    write(deployment, patch("vase", price=800, description="Green."))
    expect(page.locator("#edit [data-meanwhile]")).to_be_visible()
    save(page)
    question = page.locator("#edit fieldset")
    expect(question).to_have_count(1)
    expect(question).to_contain_text("Yours: 12.00 EUR")
    expect(question).to_contain_text("Now: 8.00 EUR")
    page.get_by_label("Now: 8.00 EUR").check()
    save(page)
    expect(page.locator("#edit")).to_be_hidden()
    # What only one has changed stays as it is; what both have, as it was chosen.
    expect(page.locator("h1")).to_have_text("Large vase")
    expect(page.locator(".big")).to_have_text("8.00 EUR")
    expect(page.locator(".prose")).to_have_text("Green.")

    page.locator("#v1").get_by_role("button", name="Revert").click()
    save(page)
    expect(page.locator("h1")).to_have_text("Vase")
    page.get_by_role("button", name="Delete").click()
    save(page)
    expect(page.locator("h1")).to_contain_text("deleted")
    page.get_by_role("button", name="Restore").click()
    save(page)
    expect(page.get_by_role("button", name="Edit")).to_be_visible()


def test_a_page_that_is_hidden_gives_its_connection_back_and_catches_up_when_it_is_seen(
    deployment: Deployment, mine: Window
) -> None:
    write(deployment, put("stool", "Stool", 100))
    page = mine.page
    mine.go("/ui/items/stool")
    live = page.locator(".live")
    expect(live).to_have_attribute("data-state", "on")
    _say_that_it_is_hidden(page, "true")
    expect(live).to_have_attribute("data-state", "off")
    write(deployment, patch("stool", price=200))
    expect(page.locator(".big")).to_have_text("1.00 EUR")
    _say_that_it_is_hidden(page, "false")
    expect(page.locator(".big")).to_have_text("2.00 EUR")
    expect(live).to_have_attribute("data-state", "on")


def _say_that_it_is_hidden(page: Page, hidden: str) -> None:
    """As browsers do of a tab behind others; this one is always in front."""
    page.evaluate(
        f"Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )


def test_a_price_is_scheduled_and_cancelled(deployment: Deployment, mine: Window) -> None:
    write(deployment, put("sofa", "Sofa", 90_000))
    page = mine.page
    mine.go("/ui/items/sofa")
    opener = page.get_by_role("button", name="Schedule a price")
    opener.click()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    opener.click()
    page.locator("#schedule-price").fill("750")
    page.locator("#schedule-from").fill("2019-01-01T00:00")
    save(page)
    expect(
        page.locator("#schedule-from-wrong, #schedule [data-problem]:not(:empty)")
    ).to_have_count(1)
    page.locator("#schedule-from").fill("2099-01-01T00:00")
    save(page)
    scheduled = page.get_by_role("region", name="Scheduled prices")
    expect(scheduled).to_contain_text("750.00 EUR")
    scheduled.get_by_role("button", name="Cancel").click()
    save(page)
    expect(scheduled).to_contain_text("cancelled")


def test_a_file_is_imported_and_its_rejected_rows_say_why(mine: Window, tmp_path: Path) -> None:
    file = tmp_path / "stock.csv.gz"
    rows = "code,label,cost\nmug-1,Mug,12.99\nmug-2,,1\nmug-3,Jug,<b>\nmug-4,Cup,4.5\n"
    file.write_bytes(gzip.compress(rows.encode()))
    page = mine.page
    mine.go("/ui/imports")
    page.get_by_role("button", name="Import a file").click()
    page.set_input_files("#upload-file", file)
    page.locator("#upload-map").fill("id:code,name:label,price:cost*100")
    keys: list[str] = []
    page.on(
        "request", lambda each: keys.extend(filter(None, [each.headers.get("idempotency-key")]))
    )
    save(page)
    page.wait_for_url("**/ui/imports/*")
    expect(page.locator("h1")).to_contain_text("done")
    # While it was sent, it was to be found by its key.
    found = page.request.get(f"{mine.url}/ui/imports/sent/{keys[0]}")
    assert found.json()["import_id"] in page.url
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#rows")).to_contain_text("name")
    expect(page.locator("#rows")).to_contain_text("<b>")
    page.locator("#status").select_option("applied")
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#rows")).to_contain_text("mug-4")
    page.get_by_role("button", name="Revert").click()
    expect(page.get_by_role("dialog")).to_contain_text("2 applied rows")
    save(page)
    reverted = page.locator(".facts").get_by_text("Reverts").get_by_role("link")
    expect(page.locator("h1")).to_contain_text("done")
    reverted.click()
    expect(page.locator(".facts")).to_contain_text("Reverted by")
    expect(page.get_by_role("button", name="Revert")).to_have_count(0)


def test_a_dead_command_is_replayed_or_given_up(deployment: Deployment, mine: Window) -> None:
    write(deployment, put("broken", "Broken", 1))
    _put_on_the_log(deployment, BAD)
    page = mine.page
    mine.go("/ui/operations")
    dead = page.locator("#dead-bad")
    expect(dead).to_contain_text("unknown operation")
    replay = page.get_by_role("button", name="Replay bad")
    replay.click()
    expect(page.locator("#toasts")).to_contain_text("tried again")
    expect(page.locator("#h-dead")).to_be_focused()
    # It is dead again: this release can not read it either. The next one could.
    expect(dead).to_be_visible()
    _mend(deployment, envelope("bad", PatchItem("broken", NOW, name="Mended")))
    replay.click()
    expect(dead).to_have_count(0)
    mine.go("/ui/items/broken")
    expect(page.locator("h1")).to_have_text("Mended")

    _put_on_the_log(deployment, BAD.replace(b'"bad"', b'"worse"'))
    mine.go("/ui/operations")
    expect(page.locator("#dead-worse")).to_be_visible()
    # What is sent after it waits behind it, and is applied when that is over: whoever closes the
    # form is not told that it is lost.
    mine.go("/ui/items/broken")
    waits = "wait behind a command that met a defect"
    expect(page.locator("#item > .notice")).to_contain_text(waits)
    page.get_by_role("button", name="Edit").click()
    page.locator("#edit-price").fill("44")
    save(page)
    expect(page.locator("#edit [data-problem]")).to_contain_text(
        f"Accepted, but changes to this item {waits}"
    )
    page.keyboard.press("Escape")
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text("It is accepted and will be applied")
    question.get_by_role("button", name="Close it").click()
    expect(page.locator("#toasts")).to_contain_text("accepted and will be applied")
    mine.go("/ui/operations")
    page.get_by_role("button", name="Discard worse").click()
    save(page)
    expect(page.locator("#dead-worse")).to_have_count(0)
    mine.go("/ui/items/broken")
    expect(page.locator("#item > .notice")).to_have_count(0)
    expect(page.locator(".big")).to_have_text("44.00 EUR")


def _mend(deployment: Deployment, mended: Envelope) -> None:
    """Have the dead command be one that can be read, as it is to a release that knows it."""
    engine = writing_engine(f"sqlite:///{deployment.folder / 'data' / 'itemledger.db'}")
    with engine.begin() as connection:
        body = base64.b64encode(encode(mended)).decode()
        connection.execute(update(tables.quarantine).values(body=body))
    engine.dispose()


def _put_on_the_log(deployment: Deployment, body: bytes) -> None:
    socket = deployment.folder / "data" / "valkey" / "valkey.sock"
    with Redis(unix_socket_path=str(socket)) as redis:
        head = redis.hgetall(keys.head(0))
        n = int(head[b"n"]) + 1
        redis.xadd(keys.log(0), {"c": body}, id=f"{head[b'epoch'].decode()}-{n}")
        redis.hset(keys.head(0), "n", n)
