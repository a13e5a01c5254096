# frozen_string_literal: true

class UnknownProperty < StandardError
  def initialize(names)
    super("Can't find property '#{names}'")
  end
end

class UnknownLink < StandardError
  def initialize(name)
    super("Can't find link '#{name}'")
  end
end

# `p` and `if_p` over the hash that `raw_properties` returns.
module PropertyLookup
  # Returns the value at a dotted path, or nil. What lies in between is indexed as it is, so a
  # path into an array raises, as it does under the director.
  def self.find(tree, path)
    path.split(".").reduce(tree) { |node, key| node.nil? ? nil : node[key] }
  end

  def p(*arguments)
    names = Array(arguments.first)
    names.each do |name|
      value = PropertyLookup.find(raw_properties, name)
      return value unless value.nil?
    end
    return arguments[1] if arguments.length == 2

    raise UnknownProperty, names
  end

  def if_p(*names)
    values = names.map { |name| PropertyLookup.find(raw_properties, name) }
    return ElseRuns.new(self) if values.any?(&:nil?)

    yield(*values)
    ElseSkipped.new
  end
end

# What `if_p` and `if_link` return when they did not yield.
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

  def else_if_link(name, &block)
    @context.if_link(name, &block)
  end
end

# What `if_p` and `if_link` return when they yielded.
class ElseSkipped
  def else; end

  def else_if_p(*_names)
    self
  end

  def else_if_link(_name)
    self
  end
end
