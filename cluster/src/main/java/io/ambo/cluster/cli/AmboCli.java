package io.ambo.cluster.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The operator's command. Asks any node of the cluster and shows all of it. */
@Command(name = "ambo", description = "Ambo, a stateful firewall that runs as an active-active pair. Every command asks one node, and shows the whole cluster.", subcommands = {
        StatusCommand.class, MembersCommand.class, SessionsCommand.class, CountersCommand.class, EventsCommand.class, VerifyCommand.class,
        ConfigCommand.class, ReloadCommand.class, RestartCommand.class, AddressesCommand.class, DrainCommand.class, UndrainCommand.class,
        VersionCommand.class,
        HelpCommand.class }, versionProvider = AmboCli.class, mixinStandardHelpOptions = true, scope = CommandLine.ScopeType.INHERIT, synopsisSubcommandLabel = "COMMAND", footer = {
                "%nExamples:", "  ambo status", "  ambo sessions list --port 443", "  ambo help sessions list",
                "%nAnswers are on stdout (--json on every command), problems on stderr.", NodeCommand.EXIT_CODES })
public final class AmboCli implements Runnable, IVersionProvider {
    private static final int DEFAULT_WIDTH = 80;

    @Spec
    CommandSpec spec;

    private final Map<String, String> environment;
    private final PrintWriter out;
    private final PrintWriter err;

    private AmboCli(Map<String, String> environment, PrintWriter out, PrintWriter err) {
        this.environment = environment;
        this.out = out;
        this.err = err;
    }

    /** For picocli, which asks an instance of its own for the version. */
    AmboCli() {
        this(Map.of(), new PrintWriter(PrintWriter.nullWriter()), new PrintWriter(PrintWriter.nullWriter()));
    }

    /** Runs one command and ends the process with its exit code. */
    public static void main(String[] args) {
        PrintWriter out = new PrintWriter(System.out, false, StandardCharsets.UTF_8);
        PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
        int exitCode = run(List.of(args), System.getenv(), out, err);
        System.exit(exitCode);
    }

    /**
     * Runs one command.
     *
     * @param environment AMBO_SOCKET and COLUMNS count
     * @return the exit code: 0 yes, 1 no or problems, 2 wrong usage, 3 no node could be asked, 4 a peer did not answer
     */
    public static int run(List<String> args, Map<String, String> environment, PrintWriter out, PrintWriter err) {
        CommandLine line = new CommandLine(new AmboCli(environment, out, err)).setOut(out).setErr(err)
                .setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF));
        line.setUsageHelpWidth(Math.max(55, width(environment)));
        line.setExecutionExceptionHandler((thrown, command, result) -> {
            out.flush();
            if (thrown instanceof CliException known) {
                err.println("ambo: " + known.getMessage());
                return known.exitCode();
            }
            err.println("ambo: this command failed: " + thrown);
            thrown.printStackTrace(err);
            return ExitCode.NEGATIVE;
        });
        line.setParameterExceptionHandler((wrong, given) -> {
            err.println("ambo: " + wrong.getMessage());
            CommandLine command = wrong.getCommandLine();
            if (!CommandLine.UnmatchedArgumentException.printSuggestions(wrong, err)) {
                err.println("try: " + command.getCommandSpec().qualifiedName() + " --help");
            }
            return ExitCode.USAGE;
        });
        int exitCode = line.execute(helpAsOption(args).toArray(String[]::new));
        out.flush();
        err.flush();
        return exitCode;
    }

    /** "help sessions list" means "sessions list --help"; picocli's own help command looks one level deep only. */
    private static List<String> helpAsOption(List<String> args) {
        if (args.isEmpty() || !args.getFirst().equals("help")) return args;
        List<String> rewritten = new ArrayList<>(args.subList(1, args.size()));
        rewritten.add("--help");
        return rewritten;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(),
                "what shall it do? status, members, sessions, counters, events, verify, config, reload, restart, version, addresses, drain, undrain");
    }

    @Override
    public String[] getVersion() { return new String[]{ "ambo " + version() }; }

    static String version() {
        String version = AmboCli.class.getPackage().getImplementationVersion();
        return version == null ? "of the working tree" : version;
    }

    PrintWriter out() { return out; }

    PrintWriter err() { return err; }

    /** Where a node's control socket may be, the likeliest first. */
    List<Path> sockets() {
        String named = environment.getOrDefault("AMBO_SOCKET", "");
        return named.isEmpty()
                ? List.of(Path.of("/run/ambo/control.sock"), Path.of("/var/lib/ambo/control.sock"))
                : List.of(Path.of(named));
    }

    /** Columns of the terminal. */
    int width() { return width(environment); }

    private static int width(Map<String, String> environment) {
        String columns = environment.getOrDefault("COLUMNS", "");
        int width = columns.matches("\\d{1,4}") ? Integer.parseInt(columns) : 0;
        return width > 0 ? width : DEFAULT_WIDTH;
    }
}
