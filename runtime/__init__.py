"""What every process needs before it can start: settings, telemetry, embedded Valkey, the
supervisor.
"""
