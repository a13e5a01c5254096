# frozen_string_literal: true

require_relative "lookup"

# One instance of the instance group that provides a link.
class LinkInstance
  include PropertyLookup

  attr_reader :name, :index, :id, :az, :address, :properties, :bootstrap
  alias raw_properties properties
  alias inspect to_s # messages show it

  def initialize(instance)
    @name, @index, @id, @az, @address, @properties, @bootstrap =
      instance.values_at("name", "index", "id", "az", "address", "properties", "bootstrap")
  end
end

# What `link(name)` returns.
class Link
  include PropertyLookup

  attr_reader :instances, :properties
  alias raw_properties properties
  alias inspect to_s # messages show it

  # @param link_spec as the director hands it to a template
  # @param dns numbers of the availability zones, by name
  def initialize(link_spec, dns)
    @link_spec = link_spec
    @dns = dns || {}
    @instances = link_spec["instances"].map { |instance| LinkInstance.new(instance) }
    @properties = link_spec["properties"]
  end

  # A link with values written in the manifest has the address written there, whatever is asked.
  def address(criteria = {})
    return @link_spec["address"] if @link_spec.key?("address")

    labels = [query(criteria), *%w[instance_group default_network deployment_name].map { |key| label(key) }]
    [*labels, @link_spec["domain"]].join(".")
  end

  private

  HEALTH = { "healthy" => 3, "unhealthy" => 1, "all" => 4 }.freeze
  INITIAL_HEALTH = { "synchronous" => "y1", "asynchronous" => "y0" }.freeze

  def query(criteria)
    parts = (criteria[:azs] || []).map { |az| zone(az) }
    parts << INITIAL_HEALTH[criteria[:initial_health_check]]
    parts << "s#{HEALTH.fetch(criteria[:status], 0)}"
    "q-#{parts.compact.sort.join}"
  end

  def zone(name)
    "a#{@dns.fetch(name) { raise "Unknown AZ: '#{name}'" }}" unless name.nil?
  end

  def label(key)
    @link_spec[key].to_s.downcase.tr("_", "-").gsub(/[^a-z0-9-]/, "")
  end
end
