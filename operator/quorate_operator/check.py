"""``check``: is the installation whole? Everything is tried as its users reach it."""

import asyncio
import base64
import binascii
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from quorate import names
from quorate.consensus import history as histories
from quorate.consensus.epoch import Epoch
from quorate.consensus.history import History
from quorate.errors import InvalidInput, QuorateError, Unavailable
from quorate.genesis import parse_genesis
from quorate_io import tls
from quorate_io.clock import SystemClock
from quorate_io.member_channel import MemberChannel
from quorate_io.member_trust import Followed
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.install.member import GENESIS
from quorate_operator.install.webhook import CONFIGURATION, CONFIGURATIONS
from quorate_operator.kinds import CONFIG_MAP, WATCHED
from quorate_operator.webhook_tls import service_names

RETRY_SECONDS = 3.0
DIAL_SECONDS = 5.0

log = logging.getLogger(__name__)
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the installation is. ``hosts`` replaces a Service's DNS name, for other networks."""

    namespace: str
    hosts: Mapping[str, str]

    def host(self, service: str) -> str:
        """The host and port of a Service."""
        port = 443 if service == names.WEBHOOK_SERVICE else names.MEMBER_PORT
        return self.hosts.get(service, f"{service}.{self.namespace}.svc:{port}")


Check = Callable[[ApiServer, Place], Awaitable[None]]


async def kinds_served(api: ApiServer, place: Place) -> None:
    """The API server serves every kind."""
    for kind in WATCHED:
        if kind.group:
            await api.get(f"/apis/{kind.api_version}")


async def authority_set(api: ApiServer, place: Place) -> None:
    """Every webhook of both configurations has an authority."""
    for plural in CONFIGURATIONS:
        configuration = await _configuration(api, plural)
        for webhook in configuration.get("webhooks") or []:
            if not webhook["clientConfig"].get("caBundle"):
                raise Unavailable(
                    f"{plural}/{CONFIGURATION}: webhook {webhook['name']} has no caBundle",
                    fix="see the install Job's log",
                )


async def endpoints_ready(api: ApiServer, place: Place) -> None:
    """The Services of the webhook, and of as many members as must sign, have ready endpoints."""
    await _endpoint(api, place, names.WEBHOOK_SERVICE)
    committee = await _committee(await _genesis(api, place), place)
    members = list(committee.standing(committee.head))
    outcomes = await asyncio.gather(
        *(_endpoint(api, place, names.member_object(name)) for name in members),
        return_exceptions=True,
    )
    _enough(outcomes, committee.head)


async def members_prove_genesis(api: ApiServer, place: Place) -> None:
    """As many members as must sign serve this installation's genesis, each over its own Service."""
    genesis = await _genesis(api, place)
    committee = await _committee(genesis, place)
    members = committee.standing(committee.head)
    outcomes = await asyncio.gather(
        *(_learn(genesis, name, place, seat=name) for name in members), return_exceptions=True
    )
    _enough(outcomes, committee.head)


async def webhook_answers(api: ApiServer, place: Place) -> None:
    """The webhook serves a certificate that the API server will believe."""
    configuration = await _configuration(api, CONFIGURATIONS[1])
    bundles = {w["clientConfig"].get("caBundle", "") for w in configuration.get("webhooks") or []}
    for bundle in bundles:
        name = service_names(place.namespace)[0]
        await _dial(place.host(names.WEBHOOK_SERVICE), name, _pem(bundle))


CHECKS: tuple[Check, ...] = (
    kinds_served,
    authority_set,
    endpoints_ready,
    members_prove_genesis,
    webhook_answers,
)


async def check(api: ApiServer, place: Place, patience: float) -> list[str]:
    """Try every check until all hold, or ``patience`` seconds are over.

    Returns what does not hold, with its reason; nothing if the installation is whole.
    """
    deadline = time.monotonic() + patience
    while True:
        failed = [reason for one in CHECKS if (reason := await _tried(one, api, place))]
        if not failed or time.monotonic() + RETRY_SECONDS > deadline:
            return failed
        for reason in failed:
            log.info("not yet: %s", reason)
        await asyncio.sleep(RETRY_SECONDS)


def ready_endpoints(slices: Document) -> int:
    """How many endpoints of a list of EndpointSlices are ready."""
    return sum(
        (endpoint.get("conditions") or {}).get("ready") is True
        for part in slices.get("items") or []
        for endpoint in part.get("endpoints") or []
    )


async def _tried(one: Check, api: ApiServer, place: Place) -> str:
    try:
        await one(api, place)
    except QuorateError as error:
        return f"{one.__doc__} No: {error}"
    log.info("holds: %s", one.__doc__)
    return ""


async def _genesis(api: ApiServer, place: Place) -> Epoch:
    document = await api.get(CONFIG_MAP.path(place.namespace, GENESIS))
    return parse_genesis(str(document["data"]["genesis.json"]).encode("utf-8"))


async def _endpoint(api: ApiServer, place: Place, service: str) -> None:
    slices = await api.get(
        f"/apis/discovery.k8s.io/v1/namespaces/{place.namespace}/endpointslices",
        {"labelSelector": f"kubernetes.io/service-name={service}"},
    )
    if ready_endpoints(slices) == 0:
        raise Unavailable(
            f"Service {service} has no ready endpoint",
            fix=f"kubectl -n {place.namespace} get pods; kubectl describe those not ready",
        )


def _enough(outcomes: Sequence[object], head: Epoch) -> None:
    """Raise Unavailable unless a strict quorum is well; warn of each member that is not.

    A committee is made to miss some: an installation that waited for every one of them could not be
    upgraded while a node is away.
    """
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for outcome in failed:
        if not isinstance(outcome, QuorateError):
            raise outcome
    well, needed = len(outcomes) - len(failed), head.record.thresholds.strict
    if well < needed:
        said = "; ".join(map(str, failed))
        raise Unavailable(
            f"{well} of {head.record.thresholds.n} members are well, {needed} must be: {said}"
        )
    for one in failed:
        log.warning("a member is not well, and enough others are: %s", one)


async def _committee(genesis: Epoch, place: Place) -> History:
    """The epochs by now, as far as the members of the genesis tell."""
    told = await asyncio.gather(
        *(_learn(genesis, seat.name, place) for seat in genesis.record.seats),
        return_exceptions=True,
    )
    known = [one for one in told if isinstance(one, History)]
    return max(known, key=lambda one: one.head.record.number, default=histories.begin(genesis))


async def _learn(genesis: Epoch, member: str, place: Place, seat: str | None = None) -> History:
    """What a member tells of the epochs; it must have this ``seat``, if one is named."""
    url = f"https://{place.host(names.member_object(member))}"
    # Genesis and authority are public: no token is shown.
    followed, token = Followed(genesis.digest_text), Path("/nonexistent")
    channel = MemberChannel(url, followed, token, SystemClock(), seat)
    try:
        return (await channel.trust()).history
    finally:
        await channel.close()


async def _configuration(api: ApiServer, plural: str) -> Document:
    path = f"/apis/admissionregistration.k8s.io/v1/{plural}/{CONFIGURATION}"
    configuration = await api.get(path)
    if not configuration.get("webhooks"):
        raise Unavailable(f"{plural}/{CONFIGURATION} has no webhooks", fix="reinstall the chart")
    return configuration


def _pem(bundle: str) -> str:
    try:
        return base64.b64decode(bundle, validate=True).decode("ascii")
    except (binascii.Error, UnicodeError) as error:
        raise InvalidInput(f"is not Base64 of PEM: {error}", field="caBundle") from None


async def _dial(host: str, name: str, authority_pem: str) -> None:
    """Any HTTP answer will do: the handshake has then proved that the certificate is for ``name``,
    which is what the API server asks for."""
    try:
        connector = aiohttp.TCPConnector(ssl=tls.client_context([authority_pem]))
        whole = aiohttp.ClientTimeout(total=DIAL_SECONDS)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=whole) as session,
            session.get(f"https://{host}/", server_hostname=name),
        ):
            return
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        what = str(error) or type(error).__name__
        raise Unavailable(f"webhook at {host} does not answer: {what}") from error
