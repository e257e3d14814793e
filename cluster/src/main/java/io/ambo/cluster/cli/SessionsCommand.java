package io.ambo.cluster.cli;

import io.ambo.proto.control.SessionFilter;
import io.ambo.proto.control.SessionState;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "sessions", description = "Lists, shows and counts sessions.", subcommands = { SessionListCommand.class,
        SessionShowCommand.class,
        SessionCountCommand.class }, footer = { "%nExamples:", "  ambo sessions list --port 443",
                "  ambo sessions show tcp 10.0.0.7:51022 203.0.113.10:443",
                "  ambo sessions count --protocol udp", NodeCommand.EXIT_CODES })
final class SessionsCommand implements Runnable {
    @Spec
    CommandSpec spec;

    @Override
    public void run() { throw new ParameterException(spec.commandLine(), "sessions: list, show or count?"); }

    /** Which sessions are meant; all that is given must match. */
    static final class Filter {
        @Option(names = "--protocol", paramLabel = "NAME", description = "tcp, udp or icmp.")
        @Nullable
        String protocol;

        @Option(names = "--source", paramLabel = "NET", description = "Address or network of the end that opened the session.")
        @Nullable
        String source;

        @Option(names = "--destination", paramLabel = "NET", description = "Address or network that it was opened to.")
        @Nullable
        String destination;

        @Option(names = "--address", paramLabel = "NET", description = "Address or network of either end.")
        @Nullable
        String address;

        @Option(names = "--port", paramLabel = "PORT", description = "Port of either end.")
        int port;

        @Option(names = "--source-port", paramLabel = "PORT", description = "Port of the end that opened the session.")
        int sourcePort;

        @Option(names = "--destination-port", paramLabel = "PORT", description = "Port that it was opened to.")
        int destinationPort;

        @Option(names = "--state", paramLabel = "STATE", split = ",", description = "opening, established, closing, closed; several with commas. Default: all but closed.")
        @Nullable
        List<String> states;

        @Option(names = "--rule", paramLabel = "NAME", description = "Rule that let it in.")
        @Nullable
        String rule;

        @Option(names = "--owner", paramLabel = "NODE", description = "Node that answers for its expiry.")
        @Nullable
        String owner;

        SessionFilter build() {
            SessionFilter.Builder filter = SessionFilter.newBuilder();
            if (protocol != null) filter.setProtocol(SessionText.protocolNumber(protocol));
            if (source != null) filter.setSource(SessionText.network(source));
            if (destination != null) filter.setDestination(SessionText.network(destination));
            if (address != null) filter.setAddress(SessionText.network(address));
            filter.setPort(port(port)).setSourcePort(port(sourcePort)).setDestinationPort(port(destinationPort));
            if (states != null) states.forEach(name -> filter.addStates(state(name)));
            if (rule != null) filter.setRule(rule);
            if (owner != null) filter.setOwner(owner);
            return filter.build();
        }

        private static int port(int port) {
            if (port < 0 || port > 65_535) throw new CliException(ExitCode.USAGE, port + " is no port", "ports are 1-65535");
            return port;
        }

        private static SessionState state(String name) {
            return switch (name.toLowerCase(Locale.ROOT)) {
                case "opening" -> SessionState.OPENING;
                case "established" -> SessionState.ESTABLISHED;
                case "closing" -> SessionState.CLOSING;
                case "closed" -> SessionState.CLOSED;
                default -> throw new CliException(ExitCode.USAGE, name + " is no state of a session",
                        "write opening, established, closing or closed");
            };
        }
    }
}
