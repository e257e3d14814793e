package io.ambo.node.firewall;

/**
 * A rule of the policy, ready to be matched. Immutable.
 *
 * @param id                   stable number of the name, see {@link Names#ruleId}
 * @param name                 from the config; "default" for the default action
 * @param action               what happens to a packet that would open a session
 * @param log                  sessions opened and packets refused are logged
 * @param timeoutMs            idle time of its sessions in their main phase; 0: the general one
 * @param resetOnTimeout       both ends are told by RST
 * @param midStream            a TCP segment that is not a SYN may open a session
 * @param defer                the first packet waits until a peer has the session
 * @param fastPath             its established sessions may be forwarded in the kernel
 * @param maxSessions          0: no limit
 * @param maxSessionsPerSource 0: the general limit
 * @param match                what packets it speaks of
 */
public record Rule(int id, String name, Action action, boolean log, int timeoutMs, boolean resetOnTimeout, boolean midStream, boolean defer,
        boolean fastPath, int maxSessions, int maxSessionsPerSource, Match match) {

    /** What a rule does. */
    public enum Action {
        ALLOW, DROP, REJECT
    }

    /** The default action as a rule that matches everything. */
    public static Rule defaultRule(Action action) {
        return new Rule(Names.DEFAULT_RULE, "default", action, false, 0, false, false, false, true, 0, 0, Match.EVERYTHING);
    }
}
