"""Tables in: time series of any channels, from sensors, traffic, gestures."""
