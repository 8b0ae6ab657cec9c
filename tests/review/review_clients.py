"""The two clients of a review server, the vendor's own and ours, under the same names."""

import json
from types import SimpleNamespace


def ftrack():
    """The vendor's, in its own environment."""
    import ftrack_api
    import ftrack_api._centralized_storage_scenario
    import ftrack_api.accessor.disk
    import ftrack_api.event.base
    import ftrack_api.event.hub
    import ftrack_api.exception
    import ftrack_api.structure.id
    import requests

    scenario = ftrack_api._centralized_storage_scenario

    def fetch(session, url):
        with requests.get(url, timeout=20) as answer:
            return answer.status_code, answer.headers["content-type"], answer.content

    def again(session, entity):
        session.cache.remove(session.cache_key_maker.key(ftrack_api.inspection.identity(entity)))
        return session.get(entity.entity_type, entity["id"])

    return SimpleNamespace(
        Session=ftrack_api.Session,
        ServerError=ftrack_api.exception.ServerError,
        NotUnique=ftrack_api.exception.NotUniqueError,
        HubConnectionError=ftrack_api.exception.EventHubConnectionError,
        Event=ftrack_api.event.base.Event,
        EventHub=ftrack_api.event.hub.EventHub,
        DiskAccessor=ftrack_api.accessor.disk.DiskAccessor,
        IdStructure=ftrack_api.structure.id.IdStructure,
        offer_storage=scenario.register_configuration,
        cached_types=lambda folder: len(json.loads((folder / "ftrack_api_schema_cache.json").read_text())),
        fetch=fetch,
        again=again,
        exists=lambda server, key: fetch(None, server.accessor.get_url(key))[0] == 200,
    )


def ours():
    """Ours."""
    from sessionkit.events import Event, EventHub
    from sessionkit.events.errors import EventHubConnectionError
    from sessionkit_review import ReviewSession
    from sessionkit_review.errors import NotUnique, ServerError
    from sessionkit_review.locations import DiskAccessor, IdStructure
    from sessionkit_review.storage_wizard import register_configuration

    def fetch(session, url):
        with session.http.get(url, timeout=20) as answer:
            return answer.status_code, answer.headers["content-type"], answer.content

    def again(session, entity):
        session.refresh(entity)
        return entity

    def cached_types(folder):
        (file,) = folder.glob("127.0.0.1-*.json")
        return len(json.loads(file.read_text().partition("\n")[2]))

    return SimpleNamespace(
        Session=ReviewSession.detached,
        ServerError=ServerError,
        NotUnique=NotUnique,
        HubConnectionError=EventHubConnectionError,
        Event=Event,
        EventHub=EventHub,
        DiskAccessor=DiskAccessor,
        IdStructure=IdStructure,
        offer_storage=register_configuration,
        cached_types=cached_types,
        fetch=fetch,
        again=again,
        exists=lambda server, key: server.accessor.exists(key),
    )


CLIENTS = {"ftrack": ftrack, "ours": ours}
