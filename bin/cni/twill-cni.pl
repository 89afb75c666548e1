#!/usr/bin/perl -T
# Twill's CNI plugin: hands the call to this node's agent over a unix socket, and its answer back. It decides nothing, and
# nothing from outside is ever run: -T also leaves PERL5LIB and PERL5OPT unread. It uses what perl has without any module,
# because the system's perl starts in a tenth of the time that Node takes; twill-cni.cjs is the same for machines without perl.
# What is said over the socket: src/cni/plugin/frame.ts.
use strict;

my $DEFAULT_SOCKET = '/run/twill/cni.sock';
my $LONGEST = 1 << 20;
my $PATIENCE_SECONDS = 100;
my ($AF_UNIX, $SOCK_STREAM, $SHUT_WR, $EINTR) = (1, 1, 1, 4);
my @VARIABLES = map { "CNI_$_" } qw(COMMAND CONTAINERID NETNS IFNAME ARGS PATH NETNS_OVERRIDE);

binmode STDIN;
binmode STDOUT;
$SIG{PIPE} = 'IGNORE';
my $command = $ENV{CNI_COMMAND} // '';
my $input = '';
while (1) {
  my $count = sysread(STDIN, $input, 65536, length $input);
  next if !defined $count && $! == $EINTR;
  last if !$count || length $input > $LONGEST;
}
my %said = top_level_strings($input);
my $version = ($said{cniVersion} // '') =~ /\A([0-9]{1,3}(?:\.[0-9]{1,3}){2})\z/ ? $1 : '1.1.0';

fail(4, 'required env variables [CNI_COMMAND] missing') if $command eq '';
fail(7, 'the network configuration is longer than a mebibyte') if length $input > $LONGEST;
if ($command eq 'VERSION') {
  answer(qq({"cniVersion":"$version","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}\n), 0);
}
my $path = $said{socket} // $DEFAULT_SOCKET;
$path =~ s{\\/}{/}g;
fail(7, "the agent's socket must be named by a path of at most 107 bytes that begins with /, without escapes")
  if $path !~ m{\A/[^\0\\]{1,106}\z};

$SIG{ALRM} = sub { unavailable("it gave no answer within $PATIENCE_SECONDS seconds") };
alarm $PATIENCE_SECONDS;
socket(my $agent, $AF_UNIX, $SOCK_STREAM, 0) or fail(5, "cannot open a socket: $!");
connect($agent, pack('S a*', $AF_UNIX, "$path\0")) or unavailable("$!");
my $call = "twill-cni 1\n";
for my $name (@VARIABLES) {
  my $value = $ENV{$name};
  next if !defined $value;
  $call .= "$name=$value\0";
}
$call .= "\0$input";
for (my $sent = 0; $sent < length $call;) {
  my $count = syswrite($agent, $call, length($call) - $sent, $sent);
  next if !defined $count && $! == $EINTR;
  last if !$count;
  $sent += $count;
}
shutdown($agent, $SHUT_WR);
my $reply = '';
while (1) {
  my $count = sysread($agent, $reply, 65536, length $reply);
  next if !defined $count && $! == $EINTR;
  last if !$count;
}
unavailable('it closed the connection without an answer')
  if $reply !~ s/\A([01]) ([0-9]{1,9})\n// || length $reply != $2;
answer($reply, $1);

# The values of the strings at the top of a JSON object, skipping everything else in it.
sub top_level_strings {
  my ($text) = @_;
  my ($depth, $key, %values) = (0);
  while ($text =~ /\G[\s,]*+(?:("(?:[^"\\]++|\\.)*+")\s*+(:?)|([{\[])|([}\]])|[^\s,"{}\[\]]++)/gcs) {
    if (defined $3) { $depth++; undef $key; }
    elsif (defined $4) { $depth--; undef $key; }
    elsif (!defined $1) { undef $key; }
    elsif ($2) { $key = $depth == 1 ? substr($1, 1, -1) : undef; }
    else {
      $values{$key} = substr($1, 1, -1) if $depth == 1 && defined $key;
      undef $key;
    }
  }
  return %values;
}

sub unavailable {
  my ($why) = @_;
  fail($command eq 'STATUS' ? 50 : 11, "Cannot reach Twill's agent at $path: $why", 'does twill run on this node?');
}

sub fail {
  my ($code, $message, $more) = @_;
  my $details = defined $more ? ',"details":' . quote($more) : '';
  answer(qq({"cniVersion":"$version","code":$code,"msg":) . quote($message) . "$details}\n", 1);
}

sub quote {
  my ($text) = @_;
  $text =~ s/(["\\])/\\$1/g;
  $text =~ s/([\x00-\x1f])/sprintf '\u%04x', ord $1/ge;
  return qq("$text");
}

sub answer {
  my ($text, $code) = @_;
  my $sent = 0;
  while ($sent < length $text) {
    my $count = syswrite(STDOUT, $text, length($text) - $sent, $sent);
    next if !defined $count && $! == $EINTR;
    last if !$count;
    $sent += $count;
  }
  exit $code;
}
