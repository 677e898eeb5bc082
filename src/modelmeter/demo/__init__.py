"""Real data, a model, an app and traffic: modelmeter seen at work."""
