"""Every English text of the pages, in one place: the texts of `app/pages/NAME.py` stand in `NAME.py` here.

A page imports its own as `texts`; what several pages say has a file of its own (`states`, `failures`, `sessions`,
`amounts`).  `{n}` and the like are filled in; a list is [one, many].
"""
