# frozen_string_literal: true

# Reads YAML (standard input) as a director does that is sent a manifest or a config, and answers
# with one line of JSON:
#   {"value": …}                  as ExactValues
#   {"path": […], "class": "Date"}  a text that Ruby takes for something that the director refuses
#   {"problem": "…"}              what else is wrong; no values stand in it

require "json"
require "yaml"
require_relative "exact_values"

PERMITTED = [Symbol].freeze

def read(text)
  YAML.safe_load(text, permitted_classes: PERMITTED, aliases: true)
end

# Returns the way to the first scalar that is refused, and the class that Ruby takes it for.
def refused(node, path = [])
  case node
  when Psych::Nodes::Mapping
    node.children.each_slice(2).lazy.filter_map do |key, value|
      refused(key, [*path, key.value]) || refused(value, [*path, key.value])
    end.first
  when Psych::Nodes::Sequence
    node.children.each_index.lazy.filter_map { |at| refused(node.children[at], [*path, at]) }.first
  when Psych::Nodes::Scalar
    name = node.quoted ? nil : refused_class(node.value)
    name && [path, name]
  end
end

def refused_class(plain)
  read(plain)
  nil
rescue Psych::DisallowedClass => e
  e.message[/\w+\z/]
rescue StandardError
  nil
end

def answer(text)
  { "value" => ExactValues.dump(read(text)) }
rescue Psych::DisallowedClass
  path, name = refused(YAML.parse(text).root)
  { "path" => path, "class" => name }
rescue Psych::SyntaxError => e
  { "problem" => e.problem }
rescue StandardError => e
  { "problem" => e.class.name }
end

text = $stdin.read.force_encoding(Encoding::UTF_8)
$stdout.write(JSON.generate(answer(text), max_nesting: 0))
