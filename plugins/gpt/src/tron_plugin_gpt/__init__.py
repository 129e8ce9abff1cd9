"""The gpt plugin of TRON: chat with any OpenAI-compatible server, capability ``chat``."""
