"""What goes on, for whoever watches over it: lines of a log, figures for Prometheus, traces for OpenTelemetry.

Runs are heard by listeners of the machine's events; nothing here may break or hold up what it observes.
"""
