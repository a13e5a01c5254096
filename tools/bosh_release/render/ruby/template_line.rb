# frozen_string_literal: true

# Where in a template an exception was raised.
module TemplateLine
  # Returns the line number as text, or nil where the exception does not come from the template.
  def self.of(exception, filename)
    start = "#{filename}:"
    place = (exception.backtrace || []).find { |line| line.start_with?(start) }
    place && place.delete_prefix(start)[/\A\d+/]
  end
end
