"""What a page may do in a browser, and what a cluster can make it do: nothing.

`conftest.open_page` already fails every test of this folder on a request that leaves this machine and on a complaint of
the browser's about the content security policy.
"""

from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.browser.dashboard import ADMIN, MARKUP, PASSWORD, Dashboard

# Run by the browser before anything else of a page: what breaks the policy is kept for the test to read.
WATCH = """
window.broken = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.broken.push(`${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`));
"""

# Ways in which content that got into a page could act; each of them would set window.owned.
INJECTED = {
    "script": "<script>window.owned = 'script'</script>",
    "a script with a nonce of its own": "<script nonce='guess'>window.owned = 'nonce'</script>",
    "handler": "<img src='data:,' onerror=\"window.owned = 'handler'\">",
    "style sheet": "<style>body { --owned: 1 }</style>",
    "elsewhere": "<script src='http://127.0.0.2:9/x.js'></script>",
    "frame": "<iframe src='http://127.0.0.2:9/'></iframe>",
    "form": "<form action='http://127.0.0.2:9/'><button id=send></button></form>",
    "base": "<base href='http://127.0.0.2:9/'>",
}

PUT_IN = "html => document.body.append(document.createRange().createContextualFragment(html))"


def addresses(page: Page) -> list[str]:
    """Our own pages that this one leads to."""
    found = page.eval_on_selector_all("a[href]", "links => links.map((link) => link.href)")
    here = urlsplit(page.url).netloc
    paths = {urlsplit(each).path for each in found if urlsplit(each).netloc == here}
    return sorted(path for path in paths if not path.startswith("/api/"))  # which are files to download


def test_no_page_asks_another_server_or_breaks_the_policy(open_page, dashboard: Dashboard):
    """All that can be reached by following links, and those that nobody leads to."""
    page = open_page("/", width=800, fresh=True)
    page.set_default_navigation_timeout(60_000)
    page.context.add_init_script(WATCH)
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    waiting, seen = ["/", "/platform", "/nowhere", "/stores/nowhere", "/sign-in", "/setup?token=x"], []
    while waiting and len(seen) < 40:
        path = waiting.pop(0)
        answer = page.goto(path)
        page.wait_for_load_state("networkidle")
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "'unsafe-inline'" not in policy.partition("style-src-attr")[0]
        assert page.evaluate("window.broken") == [], path
        seen.append(path)
        waiting += [each for each in addresses(page) if each not in seen and each not in waiting]
    assert {"/", "/platform"} <= set(seen)
    assert {urlsplit(each).netloc for each in asked} == {urlsplit(dashboard.url).netloc}
    stranger = open_page("/sign-in", person=None, fresh=True)
    stranger.context.add_init_script(WATCH)
    stranger.reload()
    assert stranger.evaluate("window.broken") == []


def test_content_that_got_into_a_page_does_nothing(chromium, dashboard: Dashboard):
    """In a browser of its own: the policy's complaints are what this is about."""
    context = chromium.new_context(base_url=dashboard.url)
    try:
        form = {"email": ADMIN, "password": PASSWORD}
        context.request.post("/sign-in", form=form, headers={"Origin": dashboard.url}, max_redirects=0)
        page = context.new_page()
        asked, stopped = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfailed", lambda request: "csp" in request.failure.lower() and stopped.append(request.url))
        for path in ("/", "/sign-in?x", "/nowhere"):
            page.goto(path)
            for what, html in INJECTED.items():
                page.evaluate(PUT_IN, html)
                page.wait_for_timeout(20)
                assert page.evaluate("window.owned ?? null") is None, what
            assert page.evaluate("getComputedStyle(document.body).getPropertyValue('--owned')") == ""
            assert page.evaluate("document.baseURI").startswith(dashboard.url)
            page.evaluate("document.getElementById('send').click()")
            page.wait_for_timeout(20)
            assert page.url.startswith(dashboard.url)
        assert [each for each in asked if "127.0.0.2" in each] == [each for each in stopped if "127.0.0.2" in each]
    finally:
        context.close()


def test_no_page_is_shown_within_another(chromium, dashboard: Dashboard):
    context = chromium.new_context(base_url=dashboard.url)
    try:
        page = context.new_page()
        page.route(
            "http://other.localhost/",
            lambda route: route.fulfill(
                content_type="text/html", body=f"<iframe src='{dashboard.url}/sign-in'></iframe>"
            ),
        )
        page.goto("http://other.localhost/")
        page.wait_for_load_state("load")
        inner = page.frames[1]
        expect(page.locator("iframe")).to_be_attached()
        assert inner.locator("input").count() == 0
    finally:
        context.close()


def test_what_a_cluster_says_is_text(open_page, dashboard: Dashboard):
    """Messages and logs with markup, in the list, on the store's page, among what is at work, in a notice."""
    dashboard.speak_markup()
    page = open_page("/", width=1440)
    headers = {"Origin": dashboard.url}
    try:
        for name in ("markup", "markup-waits"):
            assert page.request.post("/api/v1/stores", data={"name": name}, headers=headers).status == 202
        expect(page.locator("[data-store=markup-waits]")).to_contain_text("onerror", timeout=60_000)
        unharmed(page)
        for name in ("markup", "markup-waits"):
            page.goto(f"/stores/{name}")
            expect(page.locator("#content")).to_contain_text("onerror", timeout=60_000)
            unharmed(page)
        page.goto("/platform")
        expect(page.locator("body")).to_contain_text("markup-waits", timeout=60_000)
        unharmed(page)
        page.evaluate("text => Storefleet.toast(text, true)", MARKUP)
        page.evaluate("text => Storefleet.cluster({ state: 'away', line: text, notice: text })", MARKUP)
        expect(page.locator("#notices")).to_contain_text("onerror")
        expect(page.locator("#cluster-notice")).to_contain_text("onerror")
        unharmed(page)
    finally:
        dashboard.mend_images()
        for name in ("markup", "markup-waits"):
            page.request.delete(f"/api/v1/stores/{name}", headers=headers)


def unharmed(page: Page) -> None:
    """No script ran, and nothing of the text became an element."""
    assert page.evaluate("window.owned ?? null") is None
    assert page.locator("img[src='data:,x']").count() == 0
    assert page.locator("b.from-the-cluster").count() == 0
