# frozen_string_literal: true

# What a template sees under `bosh create-env`: the renderer inside the BOSH CLI. The names of
# the classes are the CLI's, because they stand in its messages.

require "erb"
require "yaml"
require_relative "template_line"

# Properties and spec by method; a name that is not there gives nil, `[]` included.
class PropertyStruct
  # Returns the value with structs in the place of all hashes in it.
  def self.of(value)
    case value
    when Hash then new(value)
    when Array then value.map { |item| of(item) }
    else value
    end
  end

  def initialize(values)
    @table = values.to_h { |key, value| [key.to_sym, PropertyStruct.of(value)] }
  end

  def method_missing(name, *arguments)
    return @table[name] unless name.end_with?("=")

    @table[name.to_s.chomp("=").to_sym] = PropertyStruct.of(arguments.first)
  end

  def respond_to_missing?(name, _include_private = false)
    @table.key?(name) || name.end_with?("=")
  end
end

# The object whose methods a template calls. There are no links.
class TemplateEvaluationContext
  class UnknownProperty < StandardError
    def initialize(names)
      super("Can't find property '#{names.join("', or '")}'")
    end
  end

  # What `if_p` returns when it did not yield.
  class ElseRuns
    def initialize(context)
      @context = context
    end

    def else
      yield
    end

    def else_if_p(*names, &block)
      @context.if_p(*names, &block)
    end
  end

  # What `if_p` returns when it yielded.
  class ElseSkipped
    def else; end

    def else_if_p(*_names)
      self
    end
  end

  attr_reader :name, :index, :properties, :raw_properties, :spec

  def initialize(spec)
    @name = spec["job"]["name"]
    @index = spec["index"]
    @raw_properties = declared(spec["default_properties"], given(spec))
    @properties = PropertyStruct.of(@raw_properties)
    @spec = PropertyStruct.of(spec)
  end

  alias inspect to_s # a NoMethodError shows what it was called on, and that would be all values

  def get_binding
    binding
  end

  def p(*arguments)
    names = Array(arguments.first)
    names.each do |name|
      value = find(@raw_properties, name)
      return value unless value.nil?
    end
    return arguments[1] if arguments.length == 2

    raise UnknownProperty, names
  end

  def if_p(*names)
    values = names.map { |name| find(@raw_properties, name) }
    return ElseRuns.new(self) if values.any?(&:nil?)

    yield(*values)
    ElseSkipped.new
  end

  def if_link(_name)
    false
  end

  private

  # A job with properties of its own does not see those of the instance group and the deployment.
  def given(spec)
    spec["job_properties"] || merged(spec["global_properties"], spec["cluster_properties"])
  end

  def merged(below, above)
    below.merge(above) { |_key, old, new| old.is_a?(Hash) && new.is_a?(Hash) ? merged(old, new) : new }
  end

  def declared(defaults, given)
    defaults.each_with_object({}) do |(name, default), tree|
      *parents, last = name.split(".")
      value = find(given, name)
      parents.reduce(tree) { |node, key| node[key] ||= {} }[last] = value.nil? ? default : value
    end
  end

  def find(tree, path)
    path.split(".").reduce(tree) { |node, key| node.nil? ? nil : node[key] }
  end
end

# The CLI does this to every template: a lone string or number is dumped as Ruby would write it.
class << JSON
  alias dump_structure dump

  def dump(*arguments)
    case arguments.first
    when String, Numeric then arguments.first.inspect
    else dump_structure(*arguments)
    end
  end
end

# Renders as the CLI does, and fails in its words.
module CreateEnvRenderer
  class Failed < StandardError; end

  def self.render(source, filename, text, spec)
    context = nil
    erb = ERB.new(text, trim_mode: "-")
    erb.filename = filename
    context = TemplateEvaluationContext.new(spec)
    erb.result(context.get_binding)
  rescue SignalException
    raise
  rescue Exception => e # a template may raise anything, and exit raises too
    line = TemplateLine.of(e, filename) || "unknown"
    raise Failed, "Error filling in template '#{source}' for #{context&.name}/#{context&.index} " \
                  "(line #{line}: #{e.inspect})"
  end
end
