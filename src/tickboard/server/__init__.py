"""The server: Starlette routes for the page, the WebSocket, the alert stream and the REST documents.

Every route reads one hub; none of them knows the dashboard file or the schedule.
"""
