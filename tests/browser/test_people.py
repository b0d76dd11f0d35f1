"""Users and Account, as people use them; and what an open page does when its session ends."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.dashboard import ADMIN, ANN, DORA, PASSWORD, Dashboard
from tests.browser.looks import check
from tests.served import command


@pytest.fixture
def users(open_page) -> Page:
    page = open_page("/users")
    expect(page.get_by_role("heading", name="Users", level=1)).to_be_visible()
    return page


def manage(page: Page, email: str):
    page.get_by_role("button", name=f"Manage {email}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name=email)).to_be_visible()
    return dialog


def test_somebody_is_invited_and_makes_their_account(users: Page, open_page, picture):
    users.get_by_role("button", name="Invite").click()
    dialog = users.get_by_role("dialog")
    dialog.get_by_label("E-mail address").fill(ADMIN)
    dialog.get_by_role("button", name="Make the link").click()
    expect(dialog.get_by_role("alert")).to_contain_text("There is an account")
    dialog.get_by_label("E-mail address").fill("new@example.com")
    picture(users, "users-invite")
    check(users)
    dialog.get_by_role("button", name="Make the link").click()
    link = dialog.get_by_label("Link")
    expect(link).to_have_value(re.compile(r"/invitation\?token="))
    picture(users, "users-invited")
    address = link.input_value()
    dialog.get_by_role("button", name="Close").click()
    expect(users.get_by_role("listitem").filter(has_text="new@example.com")).to_be_visible()

    page = open_page(address, person=None)
    expect(page.get_by_label("E-mail address")).to_have_value("new@example.com")
    expect(page.get_by_label("E-mail address")).not_to_be_editable()
    picture(page, "invitation")
    check(page)
    page.get_by_label("Password").fill("a password of my own")
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("heading", name="Stores", level=1)).to_be_visible()
    again = open_page(address, person=None)
    expect(again.get_by_role("heading", name="This invitation cannot be used")).to_be_visible()


def test_somebody_who_forgot_their_password_gets_a_link(users: Page, dashboard: Dashboard, open_page, picture):
    email = "forgetful@example.com"
    assert command("user", "create", email, "--password", PASSWORD, **dashboard.settings).returncode == 0
    before = open_page("/", person=email, fresh=True)
    users.reload()
    dialog = manage(users, email)
    dialog.get_by_role("button", name="Make a link").click()
    link = dialog.get_by_label("Link for a new password")
    expect(link).to_have_value(re.compile(r"/password\?token="))
    picture(users, "users-password-link")
    check(users)
    address = link.input_value()
    dialog.get_by_role("button", name="Close").click()
    expect(manage(users, email).get_by_label("Link for a new password")).to_have_count(0)

    page = open_page("/sign-in", person=None)
    expect(page.get_by_text("Ask an administrator for a link to a new one.")).to_be_visible()
    picture(page, "sign-in-forgotten")
    page.goto(address)
    expect(page.get_by_label("E-mail address")).to_have_value(email)
    picture(page, "password-link")
    check(page)
    page.get_by_label("New password").fill("one to remember")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("heading", name="Stores", level=1)).to_be_visible()
    expect(before).to_have_url(re.compile("/sign-in"))
    page.goto(address)
    expect(page.get_by_role("heading", name="This link cannot be used")).to_be_visible()


def test_what_was_typed_outlives_a_reload(users: Page, open_page):
    """A page that lost its server is loaded anew by itself."""
    users.get_by_role("searchbox").fill("example")
    users.get_by_role("button", name="Invite").click()
    dialog = users.get_by_role("dialog")
    dialog.get_by_label("E-mail address").fill("half-typed@exam")
    dialog.get_by_role("radio", name="Administrator").check()
    users.wait_for_url("**/users?q=example")
    users.reload()
    expect(dialog.get_by_label("E-mail address")).to_have_value("half-typed@exam")
    expect(dialog.get_by_role("radio", name="Administrator")).to_be_checked()
    dialog.get_by_role("button", name="Cancel").click()
    expect(users.get_by_role("searchbox")).to_have_value("example")

    dialog = manage(users, DORA)
    dialog.get_by_role("radio", name="Another number").check()
    dialog.get_by_role("spinbutton").fill("42")
    users.reload()
    expect(dialog.get_by_role("heading", name=DORA)).to_be_visible()
    expect(dialog.get_by_role("spinbutton")).to_have_value("42")
    dialog.get_by_role("button", name="Close").click()
    users.reload()
    expect(users.get_by_role("row", name=DORA)).to_be_visible()
    expect(dialog).to_have_count(0)

    page = open_page("/account", person=ANN)
    page.get_by_label("Present password").fill("a secret")
    page.get_by_role("button", name="New token").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("backup script")
    dialog.get_by_role("radio", name="Read").check()
    dialog.get_by_label("It expires").select_option("7")
    page.reload()
    expect(dialog.get_by_label("Name")).to_have_value("backup script")
    expect(dialog.get_by_role("radio", name="Read")).to_be_checked()
    expect(dialog.get_by_label("It expires")).to_have_value("7")
    assert "a secret" not in page.evaluate("JSON.stringify({ ...sessionStorage, ...localStorage })")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Present password")).to_have_value("")


def test_an_administrator_manages_somebody_whose_pages_end_at_once(users: Page, open_page, picture):
    page = open_page("/", person=DORA, fresh=True)
    expect(page.get_by_role("heading", name="Stores", level=1)).to_be_visible()
    users.reload()
    dialog = manage(users, DORA)
    expect(dialog.get_by_text("Chrome on Linux").first).to_be_visible()
    picture(users, "users-manage")
    check(users)
    dialog.get_by_role("radio", name="Another number").check()
    dialog.get_by_role("spinbutton").fill("3")
    dialog.get_by_role("button", name="Save").click()
    expect(users.get_by_role("row", name=DORA)).to_contain_text("of 3")
    dialog.get_by_role("button", name="Disable account").click()
    picture(users, "users-disable")
    check(users)
    dialog.get_by_role("button", name="Disable", exact=True).click()
    expect(page).to_have_url(re.compile("/sign-in"))
    expect(dialog.get_by_text("This account is disabled")).to_be_visible()
    page.get_by_label("E-mail address").fill(DORA)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The e-mail address or the password is wrong.")
    dialog.get_by_role("button", name="Enable account").click()
    expect(dialog.get_by_text("This account is disabled")).to_be_hidden()


def test_the_only_administrator_stays_one(users: Page):
    dialog = manage(users, ADMIN)
    dialog.get_by_role("radio", name="Owner").click()  # it springs back
    expect(dialog.get_by_role("alert")).to_contain_text("the only administrator")
    expect(dialog.get_by_role("radio", name="Administrator")).to_be_checked()


def test_who_is_looked_for(users: Page):
    users.get_by_role("searchbox").fill("dora")
    expect(users.get_by_role("row", name=ANN)).to_have_count(0)
    expect(users.get_by_role("row", name=DORA)).to_be_visible()
    users.get_by_role("searchbox").fill("<b>nobody")
    expect(users.get_by_text("Nobody matches")).to_be_visible()


@pytest.fixture
def my_account(dashboard: Dashboard, request, open_page) -> Page:
    """The account page of somebody of the test's own."""
    email = f"{request.node.name.replace('_', '-')[:40]}@example.com"
    made = command("user", "create", email, "--password", PASSWORD, **dashboard.settings)
    assert made.returncode == 0, made.stderr
    return open_page("/account", person=email, fresh=True)


def test_another_password_signs_out_the_other_browsers(my_account: Page, open_page, request, picture):
    email = f"{request.node.name.replace('_', '-')[:40]}@example.com"
    other = open_page("/", person=email, fresh=True)
    my_account.reload()
    expect(my_account.get_by_role("button", name="Sign out everywhere else")).to_be_visible()
    my_account.get_by_label("Present password").fill("not this one")
    my_account.get_by_label("New password").fill("a better password")
    my_account.get_by_role("button", name="Change password").click()
    expect(my_account.get_by_role("alert")).to_have_text("Your present password is another one.")
    check(my_account)
    picture(my_account, "account-wrong")
    my_account.get_by_label("Present password").fill(PASSWORD)
    my_account.get_by_role("button", name="Change password").click()
    expect(my_account.get_by_text("The password is changed.")).to_be_visible()
    expect(other).to_have_url(re.compile("/sign-in"))
    expect(my_account.get_by_label("New password")).to_have_value("")
    expect(my_account.get_by_role("button", name="Sign out everywhere else")).to_have_count(0)


def test_a_token_is_shown_once(my_account: Page, picture):
    page = my_account
    page.get_by_role("button", name="New token").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("<i>ci</i>")
    expect(dialog.get_by_role("radio", name="Administer")).to_have_count(0)
    dialog.get_by_role("radio", name="Read").check()
    picture(page, "account-token")
    check(page)
    dialog.get_by_role("button", name="Make the token").click()
    token = dialog.get_by_label("Token", exact=True).input_value()
    assert token.startswith("sf_")
    picture(page, "account-token-made")
    dialog.get_by_role("button", name="Done").click()
    row = page.get_by_role("listitem").filter(has_text="<i>ci</i>")
    expect(row).to_contain_text("may read")
    expect(row).to_contain_text("never used")
    page.wait_for_function("(token) => !document.documentElement.outerHTML.includes(token)", arg=token)
    headers = {"Authorization": f"Bearer {token}"}
    assert page.request.get("/api/v1/stores", headers=headers).ok
    assert page.request.post("/api/v1/stores", headers=headers, data={"name": "not-by-it"}).status == 403
    row.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("No tokens yet.")).to_be_visible()
    assert page.request.get("/api/v1/stores", headers=headers).status == 401


def test_a_store_that_is_ready_is_told_by_the_browser(my_account: Page):
    page = my_account
    # Chromium without a screen grants nothing: what it would show is noted instead.
    page.add_init_script(
        "window.told = []; window.Notification = class { constructor(title, given) { told.push([title, given]) }"
        " static permission = 'granted'; static async requestPermission() { return 'granted' } }"
    )
    page.reload()
    page.get_by_role("switch").check()
    other = page.context.new_page()
    other.goto("/?create")
    other.get_by_role("dialog").get_by_label("Name", exact=True).fill("told-shop")
    expect(other.get_by_text("This name is free.")).to_be_visible()
    other.get_by_role("dialog").get_by_role("button", name="Create store").click()
    page.wait_for_function("told.length > 0")
    assert page.evaluate("told.map(([title]) => title)") == ["told-shop is ready"]
    page.get_by_role("switch").uncheck()
    assert page.evaluate("Storefleet.notifications()") is False
