// Connections and servers over the event loop.
