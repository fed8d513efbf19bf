"""Databases that tests share: ``[tool.outpace.databases.NAME]``.

`settings` reads the table, `urls` addresses; `clones` is what a run does with the databases of one table: on a server
(`postgres` and `mysql`, through the user's own `drivers` and `mysql_drivers`; `redis`, in `resp`) or with files
(`sqlite`). `controller` and `worker` are the two roles. Nothing here is imported in a project without such a table.
"""
