# frozen_string_literal: true

# What a template sees under a BOSH director: its methods, its errors and what the director's
# process has loaded. Behaves as Bosh::Common::Template::EvaluationContext of cloudfoundry/bosh.

require "erb"
require "shellwords"
require "yaml"
require_relative "links"
require_relative "lookup"
require_relative "template_line"

# A bundled gem instead of a part of Ruby from 3.5 on, which older ones announce on stderr.
verbose = $VERBOSE
$VERBOSE = nil
require "ostruct"
$VERBOSE = verbose

# The director has these loaded, so templates that do not require them work there.
{
  Base64: "base64", Digest: "digest", FileUtils: "fileutils", IPAddr: "ipaddr",
  OpenSSL: "openssl", SecureRandom: "securerandom", Set: "set", Tempfile: "tempfile", URI: "uri"
}.each { |name, library| Object.autoload(name, library) unless Object.const_defined?(name) }

# The part of ActiveSupport that the director loads for templates.
class Object
  def blank?
    respond_to?(:empty?) ? !!empty? : !self
  end

  def present?
    !blank?
  end

  def presence
    self if present?
  end
end

class String
  def blank?
    match?(/\A[[:space:]]*\z/)
  end
end

class Numeric
  def blank?
    false
  end
end

# `spec` and everything in it. `methods(false)` lists the keys: templates find the first network
# that way.
class SpecStruct < OpenStruct
  def methods(regular = true)
    regular ? super : to_h.keys
  end
end

# The object whose methods a template calls.
class EvaluationContext
  include PropertyLookup

  attr_reader :name, :index, :properties, :raw_properties, :spec

  def initialize(spec)
    @name = spec["name"]
    @index = spec["index"]
    @raw_properties = spec["properties"] || {}
    @properties = structs(@raw_properties, OpenStruct)
    @dns = spec.delete("dns")
    @links = spec["links"] || {}
    @spec = structs(spec, SpecStruct)
  end

  alias inspect to_s # a NameError shows what it was called on, and that would be all values

  def get_binding
    binding
  end

  def link(name)
    find_link(name) || raise(UnknownLink, name)
  end

  def if_link(name)
    found = find_link(name)
    return ElseRuns.new(self) unless found

    yield found
    ElseSkipped.new
  end

  private

  def find_link(name)
    link_spec = PropertyLookup.find(@links, name)
    ::Link.new(link_spec, @dns) if link_spec&.key?("instances")
  end

  def structs(value, kind)
    case value
    when Hash then kind.new(value.transform_values { |item| structs(item, kind) })
    when Array then value.map { |item| structs(item, kind) }
    else value
    end
  end
end

# Renders as the director does, and fails in its words.
module DirectorRenderer
  class Failed < StandardError; end

  def self.render(source, filename, text, spec)
    erb = ERB.new(text, trim_mode: "-")
    erb.filename = filename
    erb.result(EvaluationContext.new(spec).get_binding)
  rescue SignalException
    raise
  rescue Exception => e # a template may raise anything, and exit raises too
    line = TemplateLine.of(e, filename) || "(unknown)"
    raise Failed, "Error filling in template '#{source}' (line #{line}: #{e})"
  end
end
