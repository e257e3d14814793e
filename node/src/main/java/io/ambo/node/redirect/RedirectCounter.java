package io.ambo.node.redirect;

import io.ambo.cluster.metrics.CounterName;
import java.util.Locale;

/** What happens to datagrams of the workers' lane between members. Those of the kernel's lane: see XdpCounter. Add at the end. */
public enum RedirectCounter implements CounterName {
    // @formatter:off
    SENT("packets handed to another member"),
    SENT_IN_FRAGMENTS("of these, larger than the sync link's MTU: the kernel sends them in fragments"),
    UNSENT_NO_PEER("packets not handed over: the member has not said how it takes them"),
    UNSENT_FULL("packets not handed over: the socket's buffer was full, or the member cannot be reached"),
    RECEIVED("packets that another member handed over"),
    REFUSED_MALFORMED("datagrams refused: not of this form"),
    REFUSED_SENDER("datagrams refused: no member's, or not from the member's address"),
    REFUSED_LANE("datagrams refused: of the kernel's lane, which is the XDP program's"),
    REFUSED_UNAUTHENTIC("datagrams refused: not made with this cluster's key, or changed on the way"),
    REFUSED_REPLAYED("datagrams refused: seen before (as are copies, of which a member sends some over a link that loses), or too old to tell"),
    TOLD("messages to members that their packets are this node's, or not any more"),
    UNTOLD("messages not sent: more than so many a second"),
    LEARNT("members' messages that put an entry into the flow cache: the kernel hands such packets over by itself"),
    UNLEARNT("members' messages that took one out");
    // @formatter:on

    private final String help;

    RedirectCounter(String help) { this.help = help; }

    @Override
    public String label() { return "redirect_" + name().toLowerCase(Locale.ROOT); }

    @Override
    public String help() { return help; }
}
