# frozen_string_literal: true

# Fills in the templates of a release's jobs. One request (JSON) comes on standard input; the
# answers go, one JSON object a line, to what was standard output when the process began:
#   {"ruby": "3.1.7"}                     once, first
#   {"missing": "ostruct"}                and nothing more: this Ruby lacks a library
#   {"begin": [job, template]}            before each template, so that a template that ends the
#                                         process is known
#   {"content": base64} or {"error": …}   after each template
#   {"done": true}                        last
# Properties come and go through these pipes only: arguments and the environment of a process
# can be read by others.

require "json"
require_relative "exact_values"

# Ruby 3.1 puts a piece of the source, ours perhaps, into what an exception says; later ones keep
# it apart.
if defined?(ErrorHighlight::CoreExt) && ErrorHighlight::CoreExt.method_defined?(:to_s, false)
  ErrorHighlight::CoreExt.send(:remove_method, :to_s)
end

# The pipe to the caller, kept away from the templates.
module Protocol
  # Takes the request and leaves standard input empty and standard output joined to standard
  # error, so that a template that reads or prints disturbs nobody.
  def self.open
    answers = $stdout.dup
    answers.sync = true
    $stdout.reopen($stderr)
    request = JSON.parse($stdin.read, max_nesting: false)
    $stdin.reopen(File::NULL)
    [request, answers]
  end

  def self.send(answers, message)
    answers.write("#{JSON.generate(message)}\n")
  end
end

# One template at a time, each with a context of its own, so that what one changes another does
# not see.
class Filler
  def initialize(renderer, answers)
    @renderer = renderer
    @answers = answers
  end

  def fill_in(jobs)
    jobs.each_with_index do |job, job_number|
      spec = Marshal.dump(ExactValues.load(job.fetch("spec")))
      job.fetch("templates").each_with_index do |template, number|
        Protocol.send(@answers, "begin" => [job_number, number])
        Protocol.send(@answers, outcome(template, Marshal.load(spec)))
      end
    end
  end

  private

  def outcome(template, spec)
    text = template.fetch("text").unpack1("m0").force_encoding(Encoding::UTF_8)
    result = @renderer.render(template.fetch("source"), template.fetch("filename"), text, spec)
    { "content" => [result].pack("m0") }
  rescue @renderer::Failed => e
    { "error" => e.message.dup.force_encoding(Encoding::UTF_8).scrub }
  end
end

request, answers = Protocol.open
Protocol.send(answers, "ruby" => RUBY_VERSION)
exit(1) if Gem::Version.new(RUBY_VERSION) < Gem::Version.new(request.fetch("oldest_ruby"))

def load_renderer(context)
  case context
  when "director"
    require_relative "director_context"
    DirectorRenderer
  when "create-env"
    require_relative "create_env_context"
    CreateEnvRenderer
  end
end

begin
  renderer = load_renderer(request.fetch("context"))
rescue LoadError => e
  Protocol.send(answers, "missing" => e.path)
  exit(1)
end
Filler.new(renderer, answers).fill_in(request.fetch("jobs"))
Protocol.send(answers, "done" => true)
