"""What people may do with stores: the one service behind the API and the pages.

Every method takes the actor and checks permission itself; a page or a route that forgets to do so gives nothing away.
A store of somebody else's answers like one that does not exist.
"""

import asyncio
import builtins
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import case, func
from sqlalchemy.orm import defer
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app import limits, store_problems
from app.actor import Actor
from app.audit import refusals
from app.listing import SHOWN, Found, Look, Sort, beyond, order, owned_by, searched, visible
from app.listing import cursor as page_end
from app.models import User
from app.problems import Problem, not_found
from app.settings import Settings
from app.store_request import checked, no_place, wait_for_room
from app.store_views import AcceptedToWait, Credentials, EventView, StorePage, StoreView, event_view, views_of
from provisioning import audit, names, wishes
from provisioning.capacity import Reader
from provisioning.changes import Change, Changes
from provisioning.database import Database, Exclusive, Moved, add_events, one_at_a_time
from provisioning.health import Condition, Health
from provisioning.models import Event, Level, Store, StoreSecret, now
from provisioning.rotation import Part
from provisioning.secrets import SealBroken, Sealer, generate
from provisioning.states import State
from provisioning.templates import TEMPLATES

log = logging.getLogger(__name__)

START_TAKES = 20  # seconds, at most, until it is settled where stores are served
TRIES = 5  # to record a wish while the engine moves the same store
DEFAULT_STORE_URL = "http://{name}.localhost"
ALL = "ALL"  # among the numbers of stores in each state: of those that a list shows without a filter


class Stores:
    """The service."""

    def __init__(self, database: Database, changes: Changes, settings: Settings, sealer: Sealer) -> None:
        self._database, self._changes, self._settings, self._sealer = database, changes, settings, sealer
        self.poke: Callable[[str], None] = lambda name: None  # the engine's, once there is one
        self.condition: Callable[[Store], Condition] = _unknown  # likewise
        self.capacity: Reader | None = None  # once there is a cluster
        self.secrets_elsewhere = False  # does an external secret store make them?
        self.unfit: Mapping[str, str] = {}  # by plan: a sentence on why its own quota would refuse a store
        self._store_url = settings.store_url
        self._addressed, self._creating = asyncio.Event(), asyncio.Lock()
        if self._store_url:
            self._addressed.set()

    def use_address(self, store_url: str) -> None:
        """Settle what a store's address looks like (`{name}` in it), where no setting says so."""
        self._store_url = self._store_url or store_url
        self._addressed.set()

    def address(self, name: str) -> str:
        """The address that a store called `name` has or would have."""
        return (self._store_url or DEFAULT_STORE_URL).replace("{name}", name)

    async def create(
        self,
        actor: Actor,
        name: str,
        template: str = "medusa",
        plan: str = "small",
        options: Mapping[str, Any] | None = None,
    ) -> StoreView | AcceptedToWait:
        """Ask for a new store.

        Problems: 403 as many as there may be, 409 the name is not free, 422 bad input, 429 too many at once or in the
        last hour, 503 no room (where that is to be so).
        """
        chosen = checked(name, template, plan, options or {}, self.unfit)
        async with asyncio.timeout(START_TAKES):
            await self._addressed.wait()
        room = await self.capacity.room() if self.capacity else None
        refused = refusals(self._database, actor.who, limits.CREATE, name)
        # One at a time, so that what is counted and the new row belong together; other processes, which only PostgreSQL
        # has, wait for the lock.
        async with self._creating, refused, self._database.session() as session:
            actor.require_write()
            await one_at_a_time(session, Exclusive.REQUEST)
            if problem := (await limits.look(session, self._settings, actor)).refusal():
                raise problem
            try:
                store = await wishes.request(
                    session,
                    name=name,
                    owner_id=actor.user_id,
                    template=template,
                    plan=plan,
                    options=chosen,
                    url=self.address(name),
                    version=TEMPLATES[template].version,
                    sealed=self._sealer.seal({} if self.secrets_elsewhere else generate(actor.email)),
                    limit_in_flight=self._settings.in_flight,
                )
            except wishes.NameTaken as error:
                raise (
                    store_problems.being_deleted(name, error.until) if error.deleting else store_problems.taken(name)
                ) from error
            except wishes.TooManyInFlight as error:
                raise await no_place(session, self._settings) from error
            note = None
            if room is not None and self.capacity is not None:
                refuse = self._settings.capacity == "refuse"
                note = await wait_for_room(session, store, self.capacity, room, refuse=refuse)
            detail = {"template": template, "plan": plan, "options": chosen}
            await audit.append(session, actor.who, limits.CREATE, store=store, detail=detail)
            await session.commit()
            log.info("%s asked for store %s", actor.email, name, extra={"store": store.id})
            self._tell(store)
            view = (await self._views(session, [store]))[0]
            return AcceptedToWait(**view.model_dump(), note=note) if note else view

    async def standing(self, actor: Actor) -> limits.Standing:
        """How many more stores the actor may ask for."""
        async with self._database.session() as session:
            return await limits.look(session, self._settings, actor)

    async def get(self, actor: Actor, name: str) -> StoreView:
        """Problem 404 for what is not there and for what is somebody else's."""
        async with self._database.session() as session:
            return (await self._views(session, [await self._find(session, actor, name)]))[0]

    async def row(self, actor: Actor, name: str) -> Store:
        """The store as it is kept, for services beside this one.  Problem 404."""
        async with self._database.session() as session:
            return await self._find(session, actor, name)

    async def secrets(self, store: Store) -> builtins.list[str]:
        """Values that must not be shown where a store's output is, those that a rotation is about to put in force
        among them; none where they cannot be unsealed."""
        async with self._database.session() as session:
            sealed = await session.get(StoreSecret, store.id)
        values: dict[str, None] = {}
        for each in (sealed.sealed, sealed.next) if sealed else ():
            with contextlib.suppress(SealBroken):
                opened = self._sealer.unseal(each) if each else {}
                values |= {value: None for key, value in opened.items() if key not in _NO_SECRETS}
        return builtins.list(values)

    async def list(
        self,
        actor: Actor,
        *,
        state: State | None = None,
        owner: str | None = None,
        q: str | None = None,
        health: Health | None = None,
        sort: Sort = Sort.NEWEST,
        limit: int = 50,
        cursor: str | None = None,
    ) -> StorePage:
        """`owner` is an e-mail address, `q` a part of the name (with an @: of the owner's address); `cursor` a page's
        `next`, in the same order.

        What was deleted with time to undo it is shown only where `state` is DELETING.
        """
        q = (q or "").strip().lower()
        found_by = searched(q)
        if found_by is None:
            return StorePage(items=[], next=None)
        query = select(Store).outerjoin(User, col(User.id) == col(Store.owner_id)).where(*visible(actor))
        query = query.where(col(Store.state) == state if state is not None else SHOWN)
        if owner is not None:
            query = query.where(owned_by(owner))
        if q:
            query = query.where(found_by)
        if cursor is not None:
            query = query.where(beyond(sort, cursor))
        query = query.order_by(*order(sort)).limit(limit + 1).options(*_UNREAD)
        async with self._database.session() as session:
            if health is not None:
                query = query.where(col(Store.id).in_(await self._of_health(session, actor, health)))
            found = builtins.list(await session.exec(query))
            views = await self._views(session, found[:limit])
        return StorePage(items=views, next=page_end(sort, views[-1]) if len(found) > limit else None)

    async def owners(self, actor: Actor) -> builtins.list[str]:
        """The e-mail addresses of those who have stores that the actor may see."""
        query = select(User.email).join(Store, col(Store.owner_id) == col(User.id)).where(*visible(actor))
        async with self._database.session() as session:
            return builtins.list(await session.exec(query.distinct().order_by(User.email)))

    async def look(self, names: Collection[str]) -> Look:
        """These stores as they are now, for everybody: what comes of it shows to each actor only what they may see."""
        async with self._database.session() as session:
            stores = builtins.list(await session.exec(select(Store).where(col(Store.name).in_(names))))
            views = await self._views(session, stores)
            busy = [store.id for store in stores if store.state in (State.PROVISIONING, State.DELETING)]
            timelines: dict[str, builtins.list[EventView]] = {}
            query = select(Event).where(col(Event.store_id).in_(busy)).order_by(col(Event.at), col(Event.id))
            for event in await session.exec(query) if busy else ():
                timelines.setdefault(event.store_id, []).append(event_view(event))
        return Look(
            {
                store.name: Found(store.owner_id, view, tuple(timelines.get(store.id, ())))
                for store, view in zip(stores, views, strict=True)
            }
        )

    async def _of_health(self, session: AsyncSession, actor: Actor, health: Health) -> builtins.list[str]:
        """Health is in no table: what is known of the stores that can have one is asked of the engine."""
        query = select(Store).where(*visible(actor), col(Store.state) == State.READY).options(*_UNREAD)
        return [store.id for store in await session.exec(query) if self.condition(store).health is health]

    async def delete(self, actor: Actor, name: str, *, at_once: bool = False) -> StoreView:
        """Ask for the deletion of a store and of all that it keeps; asking again is fine.

        For the time that the settings give it can be undone; `at_once`: for none, also where that time runs already.
        """
        undo = timedelta() if at_once else timedelta(minutes=self._settings.undo_minutes)
        wish = partial(wishes.request_deletion, undo=undo)

        def done(store: Store) -> bool:
            return store.state is State.DELETING and not (at_once and wishes.undo_until(store))

        return await self._wish(
            actor, name, "store.delete", wish, done=done, detail={"undo_seconds": undo.total_seconds()}
        )

    async def undelete(self, actor: Actor, name: str) -> StoreView:
        """Take a deleted store back.  Problem 409 when it is too late for that, or the store is not deleted."""
        return await self._wish(actor, name, "store.undelete", wishes.request_undeletion)

    async def retry(self, actor: Actor, name: str) -> StoreView:
        """Let a FAILED store have another try.  Problem 409 in any other state."""
        return await self._wish(actor, name, "store.retry", wishes.request_retry, only_from=(State.FAILED,))

    async def upgrade(self, actor: Actor, name: str) -> StoreView:
        """Give a store the release that the platform's chart makes; the shop serves meanwhile.

        The password of its database is replaced along with it, where the secrets are ours to make.  Problem 409 where
        there is nothing newer, and in any state but READY and FAILED.
        """
        wish = partial(wishes.request_upgrade, sealer=None if self.secrets_elsewhere else self._sealer)
        try:
            return await self._wish(actor, name, "store.upgrade", wish, only_from=wishes.CHANGEABLE)
        except SealBroken as error:
            log.error("store %s: %s", name, error)
            raise store_problems.sealed_by_another_key() from error

    async def rollback(self, actor: Actor, name: str, revision: int | None = None) -> StoreView:
        """Give a store back the release that `revision` was (None: the one before); its data stay as they are.

        Problem 409 where there is no such release, and in any state but READY and FAILED.
        """
        wish = partial(wishes.request_rollback, revision=revision)
        detail = {"revision": revision} if revision is not None else None
        return await self._wish(actor, name, "store.rollback", wish, only_from=wishes.CHANGEABLE, detail=detail)

    async def rotate(self, actor: Actor, name: str, parts: Collection[Part] = tuple(Part)) -> StoreView:
        """Ask for new secrets of a READY store; asking again while that is under way is fine.

        Without `sessions` among `parts` customers and administrators stay signed in, as far as Medusa keeps them.
        Problem 409 in any other state, or where the secrets are not ours to make.
        """
        if self.secrets_elsewhere:
            raise Problem(409, "The secrets of stores are kept in an external secret store: rotate them there.")
        if not parts:
            raise store_problems.bad_input("secrets", f"Choose at least one of: {', '.join(Part)}.")
        refused = refusals(self._database, actor.who, "store.rotate", name)
        async with refused, self._database.session() as session:
            store = await self._find(session, actor, name)
            secret = await session.get(StoreSecret, store.id)
            if secret and (secret.next is not None or secret.former_login is not None):  # it is under way
                return (await self._views(session, [store]))[0]
        wish = partial(wishes.request_rotation, parts=frozenset(parts), sealer=self._sealer)
        detail = {"secrets": sorted(parts)}
        try:
            return await self._wish(actor, name, "store.rotate", wish, only_from=(State.READY,), detail=detail)
        except wishes.RotationUnderWay as error:
            raise Problem(409, "The store is being given new secrets already.", retry_after=1) from error
        except SealBroken as error:
            log.error("store %s: %s", name, error)
            raise store_problems.sealed_by_another_key() from error

    async def events(self, actor: Actor, name: str, after: int = 0) -> builtins.list[EventView]:
        """The timeline, in the order in which things happened; `after`: only those with a greater id."""
        async with self._database.session() as session:
            store = await self._find(session, actor, name)
            query = (
                select(Event)
                .where(col(Event.store_id) == store.id, col(Event.id) > after)
                .order_by(col(Event.at), col(Event.id))
            )
            return [event_view(event) for event in await session.exec(query)]

    async def credentials(self, actor: Actor, name: str) -> Credentials:
        """How to sign in to the shop's admin; the timeline says that somebody looked."""
        refused = refusals(self._database, actor.who, "store.reveal", name)
        async with refused, self._database.session() as session:
            actor.require_write()
            store = await self._find(session, actor, name)
            sealed = await session.get(StoreSecret, store.id)
            if sealed is None:
                raise Problem(404, "This store has no sign-in details yet.")
            try:
                opened = self._sealer.unseal(sealed.sealed)
            except SealBroken as error:
                log.error("store %s: %s", store.name, error, extra={"store": store.id})
                raise Problem(500, "The sign-in details were sealed with another key than the platform has.") from error
            if self.secrets_elsewhere or "admin-password" not in opened:
                raise Problem(409, "The sign-in details of this store are kept in an external secret store.")
            at = now()
            seen = Event(
                store_id=store.id,
                key=f"credentials.revealed:{at.isoformat()}",
                at=at,
                kind="credentials.revealed",
                message=f"Admin sign-in details shown to {actor.email}",
                level=Level.INFO,
            )
            added = await add_events(session, [seen])
            await audit.append(session, actor.who, "store.reveal", store=store)
            await session.commit()
            self._tell(store, event_id=added[0])
        return Credentials(opened["admin-email"], opened["admin-password"], f"{store.url}/app")

    async def name_problem(self, actor: Actor, name: str) -> str | None:
        """Why a new store cannot have this name, as a sentence; None when it can."""
        if complaint := names.problem(name):
            return complaint
        async with self._database.session() as session:
            held = (await session.exec(select(Store).where(col(Store.name) == name))).first()
        if held is not None and held.state is State.DELETING:
            return store_problems.being_deleted(name, wishes.undo_until(held)).detail
        return store_problems.taken(name).detail if held else None

    async def counts(self, actor: Actor, owner: str | None = None) -> dict[str, int]:
        """How many of the actor's stores (an administrator: of all, or of `owner`'s) stand in each state; `ALL`: that a
        list shows."""
        shown = func.sum(case((SHOWN, 1), else_=0))
        query = select(Store.state, func.count(), shown).where(*visible(actor)).group_by(col(Store.state))
        if owner is not None:
            query = query.join(User, col(User.id) == col(Store.owner_id)).where(owned_by(owner))
        async with self._database.session() as session:
            found = {state: (count, of_all) for state, count, of_all in (await session.exec(query)).all()}
        numbers = {state.value: found.get(state, (0, 0))[0] for state in State}
        return {**numbers, ALL: sum(of_all for _, of_all in found.values())}

    async def _wish(
        self,
        actor: Actor,
        name: str,
        action: str,
        wish: Callable[..., Awaitable[None]],
        *,
        done: Callable[[Store], bool] = lambda store: False,
        only_from: Sequence[State] = tuple(State),
        detail: Mapping[str, Any] | None = None,
    ) -> StoreView:
        """Record what somebody wishes for a store; nothing is to be written where it is `done`."""
        for _ in range(TRIES):
            refused = refusals(self._database, actor.who, action, name)
            async with refused, self._database.session() as session:
                actor.require_write()
                store = await self._find(session, actor, name)
                if store.state not in only_from:
                    raise Problem(
                        409, f"The store is {store.state}; this needs a store that is {' or '.join(only_from)}."
                    )
                if not done(store):
                    try:
                        await wish(self._database, session, store, actor.email)
                    except Moved:  # the engine was quicker: look again
                        continue
                    except wishes.TooLate as error:
                        raise store_problems.not_undone(store) from error
                    except wishes.NothingNewer as error:
                        raise store_problems.nothing_newer(store) from error
                    except wishes.NoRevision as error:
                        raise store_problems.no_revision(store, error.there) from error
                    await audit.append(session, actor.who, action, store=store, detail=detail)
                    await session.commit()
                    self._tell(store)
                return (await self._views(session, [store]))[0]
        async with refusals(self._database, actor.who, action, name):
            raise Problem(409, "The store is changing right now. Try again.", retry_after=1)

    async def _find(self, session: AsyncSession, actor: Actor, name: str) -> Store:
        if not names.PATTERN.fullmatch(name):
            raise not_found()
        store = (await session.exec(select(Store).where(col(Store.name) == name, *visible(actor)))).first()
        if store is None:
            raise not_found()
        return store

    def _tell(self, store: Store, event_id: int | None = None) -> None:
        self._changes.publish(Change(store.id, store.name, event_id))
        if event_id is None:
            self.poke(store.name)

    async def _views(self, session: AsyncSession, stores: Sequence[Store]) -> builtins.list[StoreView]:
        return await views_of(session, stores, self.condition, self._settings.at_once)


_UNREAD = (defer(col(Store.options)), defer(col(Store.inventory)))  # of a list: nobody looks at them
_NO_SECRETS = ("admin-email", "database-user")  # among a store's secrets


def _unknown(store: Store) -> Condition:
    return Condition(Health.UNKNOWN if store.state is State.READY else None)
