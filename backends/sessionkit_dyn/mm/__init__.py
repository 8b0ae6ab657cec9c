"""Message Management: sending mail and knowing what became of it.

from sessionkit_dyn import MMSession
from sessionkit_dyn.mm import message, accounts, reports

MMSession(api_key)
message.send_message("news@example.test", ["kim@example.test"], "Hello", body="Good morning.")
reports.Sent(yesterday).count
"""
