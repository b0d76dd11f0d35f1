"""A refusal as an HTTP answer, by RFC 9457."""

import json

from app.problems import Problem


def test_a_problem_is_what_the_rfc_says() -> None:
    problem = Problem(429, "Too many.", retry_after=7, extra={"limit": 5}, headers={"X-Limit": "5"})
    answer = problem.response()
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["x-limit"] == "5"
    assert json.loads(bytes(answer.body)) == {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "Too many.",
        "limit": 5,
    }
    assert str(problem) == "Too many."


def test_half_a_character_does_no_harm() -> None:
    assert json.loads(bytes(Problem(422, "\ud800").response().body))["detail"] == "\ud800"
