"""Signing in and out, as a person does it."""

import re
import sqlite3

from playwright.sync_api import expect

from tests.browser.dashboard import ADMIN, PASSWORD


def test_a_page_asks_to_sign_in_and_comes_back(open_page, picture):
    page = open_page("/?state=failed", person=None)
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    expect(page.get_by_label("E-mail address")).to_be_focused()
    picture(page, "sign-in")

    page.get_by_label("E-mail address").fill(ADMIN)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The e-mail address or the password is wrong.")
    expect(page.get_by_label("E-mail address")).to_have_value(ADMIN)
    expect(page.get_by_label("Password")).to_be_focused()
    picture(page, "sign-in-wrong")

    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/\?state=failed$"))
    expect(page.get_by_role("heading", name="Stores", level=1)).to_be_visible()


def test_password_managers_know_the_fields(open_page):
    page = open_page("/sign-in", person=None)
    expect(page.get_by_label("E-mail address")).to_have_attribute("autocomplete", "username")
    expect(page.get_by_label("Password")).to_have_attribute("autocomplete", "current-password")


def test_signing_out_ends_what_an_open_page_can_do(open_page):
    page = open_page("/", fresh=True)
    other = page.context.new_page()
    other.goto("/?create")
    expect(other.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name=f"Account: {ADMIN}").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/sign-in$"))
    expect(other).to_have_url(re.compile("/sign-in"))


def test_a_session_that_ends_elsewhere_leads_to_the_form_and_back(open_page, dashboard):
    page = open_page("/?q=x", fresh=True)
    page.get_by_role("button", name="Show all stores").wait_for()
    with sqlite3.connect(dashboard.folder / "data" / "storefleet.db") as database:
        database.execute("DELETE FROM user_session WHERE created_at = (SELECT max(created_at) FROM user_session)")
    page.get_by_role("button", name="Show all stores").click()  # what a page sends is not done
    expect(page).to_have_url(re.compile(r"/sign-in"))
    page.get_by_label("E-mail address").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Stores", level=1)).to_be_visible()


def test_the_theme_follows_the_system_can_be_set_and_is_remembered(open_page):
    page = open_page("/", theme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name=f"Account: {ADMIN}").click()
    page.get_by_role("radio", name="Light").check(force=True)
    light = page.evaluate(background)
    assert light != dark
    page.reload()
    assert page.evaluate(background) == light
    page.get_by_role("button", name=f"Account: {ADMIN}").click()
    expect(page.get_by_role("radio", name="Light")).to_be_checked()
    page.get_by_role("radio", name="System").check(force=True)
    assert page.evaluate(background) == dark
    page.emulate_media(color_scheme="light")
    assert page.evaluate(background) == light
