# frozen_string_literal: true

# Values of Ruby in JSON and back, also those that JSON does not have: keys of any kind, Symbols,
# infinity, bytes that are not UTF-8. Each JSON object says what it stands for:
#   {"map": [[key, value], …]}   {"symbol": text}   {"float": "Infinity"}   {"binary": base64}
module ExactValues
  FLOATS = { "Infinity" => Float::INFINITY, "-Infinity" => -Float::INFINITY, "NaN" => Float::NAN }.freeze

  def self.dump(value)
    case value
    when Hash then { "map" => value.map { |key, item| [dump(key), dump(item)] } }
    when Array then value.map { |item| dump(item) }
    when Symbol then { "symbol" => value.to_s }
    when Float then value.finite? ? value : { "float" => value.to_s }
    when String then utf8?(value) ? value : { "binary" => [value].pack("m0") }
    else value
    end
  end

  def self.load(tree)
    case tree
    when Array then tree.map { |item| load(item) }
    when Hash then load_object(*tree.first)
    else tree
    end
  end

  def self.load_object(kind, content)
    case kind
    when "map" then content.to_h { |key, item| [load(key), load(item)] }
    when "symbol" then content.to_sym
    when "float" then FLOATS.fetch(content)
    when "binary" then content.unpack1("m0")
    end
  end

  def self.utf8?(text)
    text.dup.force_encoding(Encoding::UTF_8).valid_encoding?
  end
  private_class_method :load_object, :utf8?
end
