"""Articles from a website: `pages` reads one page, or all that the site's sitemaps list.

Nothing but the public internet can be reached (`bot.network`, `addresses`), nothing is read that robots.txt forbids
(`robots`), and every import ends (`limits`). One request at a time, with a pause between two.
"""

from bot.knowledge.importers.web.crawl import Kind, pages
from bot.knowledge.importers.web.limits import Limits

__all__ = ["Kind", "Limits", "pages"]
