#include "service/chat/default_templates.h"

namespace notso {

std::string_view default_chat_template() {
  return R"jinja(
{%- set mode = namespace(name="/think") -%}
{%- if enable_thinking is defined and not enable_thinking -%}
  {%- set mode.name = "/no_think" -%}
{%- endif -%}
{%- set instructions = "" -%}
{%- if messages and messages[0].role == "system" -%}
  {%- set given = messages[0].content if messages[0].content is string else "" -%}
  {%- if "/no_think" in given -%}
    {%- set mode.name = "/no_think" -%}
  {%- elif "/think" in given -%}
    {%- set mode.name = "/think" -%}
  {%- endif -%}
  {%- set instructions = given.replace("/no_think", "").replace("/think", "").rstrip() -%}
{%- endif -%}
{%- set opening = "<|im_start|>assistant\n" -%}
{%- if mode.name == "/no_think" %}{% set opening = opening + "<think>\n\n</think>\n" %}{% endif -%}
{{- "<|im_start|>system\n## Metadata\n\nKnowledge Cutoff Date: June 2025\n" -}}
{{- "Today Date: " + strftime_now("%d %B %Y") + "\nReasoning Mode: " + mode.name + "\n\n" -}}
{{- "## Custom Instructions\n\n" -}}
{{- (instructions or "You are SmolLM, a helpful assistant.") + "\n\n<|im_end|>\n" -}}
{%- for message in messages -%}
  {%- set content = message.content if message.content is string else "" -%}
  {%- if message.role == "assistant" -%}
    {{- opening + content.lstrip("\n") + "<|im_end|>\n" -}}
  {%- elif message.role in ["user", "tool"] -%}
    {{- "<|im_start|>user\n" + content + "<|im_end|>\n" -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt %}{{ opening }}{% endif -%}
)jinja";
}

std::string_view tools_template() {
  return R"jinja(
{{- "### Tools\n\n" -}}
{%- if xml_tools -%}
  {{- "These functions may help with the request. Their signatures:\n\n<tools>\n" -}}
  {%- for tool in xml_tools %}{{ tool | string ~ "\n" }}{% endfor -%}
  {{- "</tools>\n\nTo call one, answer with a JSON object of its name and arguments inside " -}}
  {{- "<tool_call></tool_call>, once for each call:\n<tool_call>\n" -}}
  {{- '{"name": <function-name>, "arguments": <args-json-object>}' ~ "\n</tool_call>" -}}
{%- endif -%}
{%- if python_tools -%}
  {{- "Python code that is put between <code> and </code> is run, and its output is sent " -}}
  {{- "back.\nThe code may call these functions:\n\n<tools>\n" -}}
  {%- for tool in python_tools %}{{ tool | string ~ "\n" }}{% endfor -%}
  {{- "</tools>\n\nVariables that one step sets are there in the next." -}}
{%- endif -%}
)jinja";
}

}  // namespace notso
