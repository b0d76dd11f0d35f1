"""`storefleet user …` and `storefleet token …`: people, on the database itself."""

import argparse
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from app.command_error import CommandError
from app.rest import plain, table

if TYPE_CHECKING:
    from app.models import User
    from provisioning.database import Database

Action = Callable[[argparse.Namespace, "Database"], Awaitable[None]]
OnDatabase = Callable[[Action], Callable[[argparse.Namespace], None]]


def add_to(commands: Any, on_database: OnDatabase) -> None:
    """Add `user` and `token` to the command line."""
    users = commands.add_parser("user", help="people who may sign in").add_subparsers(required=True, metavar="ACTION")

    def user(name: str, action: Action, help: str, *, email: bool = True) -> argparse.ArgumentParser:
        each: argparse.ArgumentParser = users.add_parser(name, help=help)
        if email:
            each.add_argument("email", metavar="EMAIL")
        each.set_defaults(run=on_database(action))
        return each

    create = user("create", _create, "add somebody")
    create.add_argument("--admin", action="store_true", help="may see and do everything")
    create.add_argument("--password", help="without it one is made up and printed")
    invite = user("invite", _invite, "print a link by which somebody makes their account, once, within three days")
    invite.add_argument("--admin", action="store_true", help="may see and do everything")
    user("list", _list, "who has an account, and who is invited", email=False)
    role = user("role", _role, "make somebody an administrator, or one no more")
    role.add_argument("role", choices=("owner", "admin"))
    user("disable", _disable, "keep somebody out; their stores go on")
    user("enable", _enable, "let somebody in again")
    user("sign-out", _sign_out, "end all sessions of somebody")
    user("reset", _reset, "print a link by which somebody chooses another password, once, within a day")
    limit = user("limit", _limit, "let somebody have another number of stores than the settings say")
    limit.add_argument("stores", metavar="N", type=_stores, help="a number, or `default`: as the settings say")

    tokens = commands.add_parser("token", help="API tokens").add_subparsers(required=True, metavar="ACTION")
    create = tokens.add_parser("create", help="make a token; it is shown once, last on its line")
    create.add_argument("--user", required=True, metavar="EMAIL", help="for whom it acts")
    create.add_argument("--name", default="command line", help="to tell it from others (default: %(default)s)")
    create.add_argument(
        "--scope", choices=("read", "write", "admin"), help="what it may do (default: all that the user may)"
    )
    create.add_argument("--days", type=_days, metavar="N", help="until it expires (default: never)")
    create.set_defaults(run=on_database(_create_token))
    listed = tokens.add_parser("list", help="the tokens of somebody")
    listed.add_argument("--user", required=True, metavar="EMAIL")
    listed.set_defaults(run=on_database(_list_tokens))
    revoke = tokens.add_parser("revoke", help="end a token, and those that it made")
    revoke.add_argument("id", metavar="ID", help="as `token list` shows it")
    revoke.set_defaults(run=on_database(_revoke_token))


def _stores(text: str) -> int | None:
    if text == "default":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise argparse.ArgumentTypeError("write a number from 0 to 9999, or `default`")
    return int(text)


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= 3650):
        raise argparse.ArgumentTypeError("write a number from 1 to 3650")
    return int(text)


async def _create(chosen: argparse.Namespace, database: "Database") -> None:
    import secrets

    from app.actor import COMMAND_LINE
    from app.users import Users

    password = chosen.password or secrets.token_urlsafe(12)
    user = await Users(database).create(COMMAND_LINE, chosen.email, password, admin=chosen.admin)
    print(f"{'Administrator' if user.admin else 'User'} {user.email} can sign in now.")
    if not chosen.password:
        print(f"Password: {password}")


async def _invite(chosen: argparse.Namespace, database: "Database") -> None:
    from app import settings
    from app.actor import COMMAND_LINE
    from app.invitations import Invitations

    base = settings.load().url or "http://localhost:8080"
    made = await Invitations(database).create(COMMAND_LINE, chosen.email, admin=chosen.admin, base=base)
    print(f"Invitation for {made.email}, once and until {_time(made.expires_at)}, shown only now: {made.link}")


async def _reset(chosen: argparse.Namespace, database: "Database") -> None:
    from app import settings
    from app.actor import COMMAND_LINE
    from app.password_links import PasswordLinks
    from app.users import Users

    base = settings.load().url or "http://localhost:8080"
    made = await PasswordLinks(database, Users(database)).create(COMMAND_LINE, chosen.email, base=base)
    print(f"New password for {made.email}, once and until {_time(made.expires_at)}, shown only now: {made.link}")


async def _list(chosen: argparse.Namespace, database: "Database") -> None:
    from app.actor import COMMAND_LINE
    from app.invitations import Invitations
    from app.users import Users

    rows, cursor = [("EMAIL", "ROLE", "STATE", "STORES", "SESSIONS", "LAST SEEN")], None
    while True:
        page = await Users(database).list(COMMAND_LINE, limit=200, cursor=cursor)
        rows += [
            (
                each.email,
                "admin" if each.admin else "owner",
                "disabled" if each.disabled else "active",
                str(each.stores),
                str(each.sessions),
                _time(each.last_seen_at),
            )
            for each in page.items
        ]
        cursor = page.next
        if cursor is None:
            break
    for invited in await Invitations(database).list(COMMAND_LINE):
        rows.append((invited.email, "admin" if invited.admin else "owner", "invited", "-", "-", "-"))
    table(rows)


async def _role(chosen: argparse.Namespace, database: "Database") -> None:
    from app.actor import COMMAND_LINE
    from app.users import Users

    user = await Users(database).set_admin(COMMAND_LINE, chosen.email, chosen.role == "admin")
    print(f"{user.email} is {'an administrator' if user.admin else 'an owner'} now.")


async def _disable(chosen: argparse.Namespace, database: "Database") -> None:
    from app.actor import COMMAND_LINE
    from app.users import Users

    user = await Users(database).set_disabled(COMMAND_LINE, chosen.email, True)
    print(f"{user.email} can sign in no more, and is signed out everywhere.")


async def _enable(chosen: argparse.Namespace, database: "Database") -> None:
    from app.actor import COMMAND_LINE
    from app.users import Users

    user = await Users(database).set_disabled(COMMAND_LINE, chosen.email, False)
    print(f"{user.email} can sign in again.")


async def _sign_out(chosen: argparse.Namespace, database: "Database") -> None:
    from app.actor import COMMAND_LINE
    from app.sessions import Sessions

    ended = await Sessions(database).end_all(COMMAND_LINE, await _known(database, chosen.email))
    print(f"{ended} session{'' if ended == 1 else 's'} of {chosen.email} ended.")


async def _limit(chosen: argparse.Namespace, database: "Database") -> None:
    from app.actor import COMMAND_LINE
    from app.users import Users

    user = await Users(database).limit(COMMAND_LINE, chosen.email, chosen.stores)
    number = "as many stores as the settings say" if user.store_limit is None else f"{user.store_limit} stores"
    print(f"{user.email} may have {number}.")


async def _create_token(chosen: argparse.Namespace, database: "Database") -> None:
    from app.actor import COMMAND_LINE, Scope
    from app.tokens import Tokens
    from provisioning.models import now

    user = await _known(database, chosen.user)
    expires_at = now() + timedelta(days=chosen.days) if chosen.days else None
    scope = Scope(chosen.scope) if chosen.scope else None
    made = await Tokens(database).create(COMMAND_LINE, user, chosen.name, expires_at, scope)
    until = f", until {_time(made.expires_at)}" if made.expires_at else ""
    print(f"Token for {user.email} ({made.scope}{until}), shown only now: {made.token}")


async def _list_tokens(chosen: argparse.Namespace, database: "Database") -> None:
    from app.actor import COMMAND_LINE
    from app.tokens import Tokens

    found = await Tokens(database).list(COMMAND_LINE, await _known(database, chosen.user))
    rows = [
        (each.id, plain(each.name), each.scope.value, _time(each.expires_at, "never"), _time(each.last_used_at))
        for each in found
    ]
    table([("ID", "NAME", "SCOPE", "EXPIRES", "LAST USED"), *rows])


async def _revoke_token(chosen: argparse.Namespace, database: "Database") -> None:
    from app.actor import COMMAND_LINE
    from app.tokens import Tokens

    await Tokens(database).revoke(COMMAND_LINE, chosen.id)
    print("The token is revoked.")


async def _known(database: "Database", email: str) -> "User":
    from app.users import Users

    user = await Users(database).by_email(email)
    if user is None:
        raise CommandError(f"There is no user {email}. Add one with: storefleet user create {email}")
    return user


def _time(at: Any, otherwise: str = "-") -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M") if at else otherwise
