"""Neutral text: what a message says stays text, whatever the service makes of a text.

A label or a name that somebody has sent may be ``@everyone``, ``<!channel>`` or ``[click](http://…)``. Apprise escapes
what it converts to HTML or Markdown itself; here is the one place for the rest: names that a chat would notify people
by, and Markdown in what a service takes as plain text and renders all the same. Services that show a text as it is,
as e-mail, SMS and webhooks, get it as it is. An address in a text stays one: it shows where it leads.
"""

import re
from collections.abc import Collection

NOTHING = "\u200b"
"""A space without width: it parts what must not be read as one."""

_RENDERERS = (
    "cliq discord fluxer fluxers guilded hassio hassios humhub humhubs misskey misskeys mmost mmosts nctalk nctalks "
    "notifiarr revolt ringc ryver schan twist workflow workflows zcliq zohocliq zulip"
)
"""The schemes of services that render Markdown in a plain text or in a title."""

_OTHER_CHATS = (
    "apprise apprises bale bluesky bsky dingtalk evolution evolutions feishu flock gchat github groupme instagram irc "
    "ircs jira kook lark line mastodon mastodons matrix matrixs nostr onebot onebots qq reddit rocket rockets session "
    "sessions signal signals slack sogs stackfield synology synologys tgram toot toots tweet twitter viber webex "
    "wecombot whapi whatsapp wxteams x xmpp xmpps zalo zoom"
)
"""Those of other services where a name in a text may notify people, and of what passes a text on to such."""

_MARKDOWN = frozenset(_RENDERERS.split())
_CHATS = _MARKDOWN.union(_OTHER_CHATS.split())

# Names; tags and Slack's links; Markdown's links; what OneBot reads as a command.
_READ_AS_ONE = re.compile(r"@(?=\S)|<(?=\S)|](?=\()|\[(?=CQ:)")

_RENDERED = re.compile(r"[\\`*_~\[\]|]")


def is_chat(schemes: Collection[str]) -> bool:
    """Return whether a service is one where a name may notify people, by the schemes of its URLs."""
    return not _CHATS.isdisjoint(schemes)


def renders_markdown(schemes: Collection[str]) -> bool:
    """Return whether a service renders Markdown in a plain text, by the schemes of its URLs."""
    return not _MARKDOWN.isdisjoint(schemes)


def neutral(text: str, *, markdown: bool) -> str:
    """Return a text that a chat shows as it is.

    Args:
        text: what is to be shown.
        markdown: whether the chat would render Markdown in it; where Apprise escapes that, it would not.
    """
    text = _READ_AS_ONE.sub(lambda found: found[0] + NOTHING, text)
    return _RENDERED.sub(r"\\\g<0>", text) if markdown else text
