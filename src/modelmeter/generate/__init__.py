"""What Prometheus (and later Grafana) run: files made from a profile, the same every time."""
