"""Neutral text: prevents chat services from interpreting a message's text.

A label or a name from outside may be ``@everyone``, ``<!channel>`` or ``[click](http://…)``. Apprise escapes the text
that it converts to HTML or Markdown itself. This module does the rest: names that make a chat notify people, and
Markdown for services that take plain text and render it anyway. Services that show text as it is, such as e-mail, SMS
and webhooks, get it unchanged. A web address in a text stays a link, since it shows where it leads.
"""

import re
from collections.abc import Collection

NOTHING = "\u200b"
"""A zero-width space: it separates characters that must not be interpreted together."""

_RENDERERS = (
    "cliq discord fluxer fluxers guilded hassio hassios humhub humhubs misskey misskeys mmost mmosts nctalk nctalks "
    "notifiarr revolt ringc ryver schan twist workflow workflows zcliq zohocliq zulip"
)
"""The schemes of services that render Markdown in plain text or in a title."""

_OTHER_CHATS = (
    "apprise apprises bale bluesky bsky dingtalk evolution evolutions feishu flock gchat github groupme instagram irc "
    "ircs jira kook lark line mastodon mastodons matrix matrixs nostr onebot onebots qq reddit rocket rockets session "
    "sessions signal signals slack sogs stackfield synology synologys tgram toot toots tweet twitter viber webex "
    "wecombot whapi whatsapp wxteams x xmpp xmpps zalo zoom"
)
"""The schemes of other services where a name in a text may notify people, and of services that forward to those."""

_MARKDOWN = frozenset(_RENDERERS.split())
_CHATS = _MARKDOWN.union(_OTHER_CHATS.split())

# Mentions; tags and Slack's links; Markdown's links; OneBot's commands.
_READ_AS_ONE = re.compile(r"@(?=\S)|<(?=\S)|](?=\()|\[(?=CQ:)")

_RENDERED = re.compile(r"[\\`*_~\[\]|]")


def is_chat(schemes: Collection[str]) -> bool:
    """Return whether a name may notify people on a service, by the schemes of its URLs."""
    return not _CHATS.isdisjoint(schemes)


def renders_markdown(schemes: Collection[str]) -> bool:
    """Return whether a service renders Markdown in plain text, by the schemes of its URLs."""
    return not _MARKDOWN.isdisjoint(schemes)


def neutral(text: str, *, markdown: bool) -> str:
    """Return text so that a chat shows it as it is.

    Args:
        text: the text.
        markdown: whether the chat would render Markdown in it; False if Apprise escapes it already.
    """
    text = _READ_AS_ONE.sub(lambda found: found[0] + NOTHING, text)
    return _RENDERED.sub(r"\\\g<0>", text) if markdown else text
