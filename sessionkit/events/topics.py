"""The topics with a meaning to hubs and servers themselves, as servers of this protocol know them."""

CONNECTED = "ftrack.meta.connected"
DISCONNECTED = "ftrack.meta.disconnected"
SUBSCRIBE = "ftrack.meta.subscribe"
UNSUBSCRIBE = "ftrack.meta.unsubscribe"
REPLY = "ftrack.meta.reply"
