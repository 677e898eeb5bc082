"""Where monitoring attaches: models, apps, routes."""
