"""The routes: one module per API, each with a ``router``, which ``app.ROUTERS`` lists.

A route asks for the service and a scope (``dependencies``), reads images (``upload``) and calls one method of ``Service``. An API
with another error shape makes its router with ``APIRouter(route_class=errors.route_class(write))``.
"""
