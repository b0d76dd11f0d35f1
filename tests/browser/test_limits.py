"""Limits as a person meets them: told before, and kept by what a page sends just as by the API."""

from playwright.sync_api import expect

from tests.browser.dashboard import ADMIN, PASSWORD, Dashboard
from tests.browser.looks import looks
from tests.served import command

PERSON = "limited@example.com"


def test_a_person_is_told_what_is_left_and_gets_no_more(open_page, dashboard: Dashboard, picture):
    assert command("user", "create", PERSON, "--password", PASSWORD, **dashboard.settings).returncode == 0
    with dashboard.signed_in(ADMIN) as admin:
        admin.put(f"/api/v1/users/{PERSON}/limit", json={"stores": 2}).raise_for_status()
    page = open_page("/?create", person=PERSON)
    dialog = page.get_by_role("dialog")
    submit = dialog.get_by_role("button", name="Create store")
    expect(dialog).to_contain_text("2 of 2 stores left")
    dialog.get_by_role("textbox", name="Name", exact=True).fill("third")
    expect(submit).to_be_enabled()
    dashboard.have(PERSON, "first", "second")  # elsewhere, while the dialog is open
    submit.click()
    expect(dialog.get_by_role("alert")).to_contain_text("as many stores as you may have (2)")
    assert page.request.get("/api/v1/stores/third").status == 404
    page.goto("/?create")
    expect(dialog).to_contain_text("0 of 2 stores left")
    expect(dialog.get_by_role("alert")).to_contain_text("ask an administrator for more")
    dialog.get_by_role("textbox", name="Name", exact=True).fill("third")
    expect(dialog).to_contain_text("This name is free.")
    expect(submit).to_be_disabled()
    looks(page, picture, "no-store-left")
    for name in ("first", "second"):
        page.request.delete(f"/api/v1/stores/{name}", headers={"Origin": dashboard.url})
