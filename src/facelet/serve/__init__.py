"""`facelet serve`: an HTTP service for expressions and identities; needs the extra `serve`.

A request passes through these modules from top to bottom:

- ``server``: runs the application with uvicorn, over ``protocol``; ``app`` builds it, ``settings`` has all options.
- ``connection``, ``headers``: ASGI middleware that bounds uploads, drops work for clients that are gone, and adds headers.
- ``auth``, ``upload``: API keys and their scopes; images from multipart, raw and JSON bodies.
- ``routes``: one module per API; ``schemas`` are the native API's responses, ``errors`` its error.
- ``service``: the operations that all APIs offer. ``audit`` records enrollments and deletions, ``metrics`` counts.
- ``engine``: worker threads that decode, detect and crop, and share model runs between requests.
"""
