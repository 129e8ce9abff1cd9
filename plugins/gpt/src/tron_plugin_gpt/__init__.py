"""The gpt plugin of TRON: chat with any OpenAI-compatible server, capability ``chat``. It runs on the hub."""

from tron_plugin_gpt.plugin import GPT

_gpt = GPT()
"""One for each process; its hooks are this module's."""

tron_register_capabilities = _gpt.tron_register_capabilities
tron_register_config = _gpt.tron_register_config
tron_register_settings = _gpt.tron_register_settings
tron_startup = _gpt.tron_startup
tron_shutdown = _gpt.tron_shutdown
tron_job_submitting = _gpt.tron_job_submitting
tron_job_event = _gpt.tron_job_event
tron_message = _gpt.tron_message
tron_forget_requester = _gpt.tron_forget_requester
tron_write_image_prompt = _gpt.tron_write_image_prompt
tron_legacy_import = _gpt.tron_legacy_import
