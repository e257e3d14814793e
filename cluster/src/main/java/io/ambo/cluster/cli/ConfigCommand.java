package io.ambo.cluster.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "config", description = "Checks config files, and puts the node's own into force.", subcommands = {
        ConfigCheckCommand.class, ReloadCommand.class }, footer = {
                "%nExamples:", "  ambo config check /etc/ambo/ambo.yml", "  ambo config reload", NodeCommand.EXIT_CODES })
final class ConfigCommand implements Runnable {
    @Spec
    CommandSpec spec;

    @Override
    public void run() { throw new ParameterException(spec.commandLine(), "config: check or reload?"); }
}
