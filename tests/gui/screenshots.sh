#!/bin/sh
# Pictures of every page and state, for looking at and for the README: screenshots.sh OUTPUT_FOLDER [BUILD_FOLDER]
#
# OUTPUT/LANGUAGE-SCHEME-SIZE/PAGE.png: English, German, right-to-left, the pseudo-locale; light, dark; two sizes; high
# contrast; text of one and a half times and twice its size.
# OUTPUT/clipped.txt lists text that has no room in the pseudo-locale; the exit status is 1 when there is any.
# FENESTRA_VARIANTS="en-light-1400x900 ..." makes only some of them.
set -eu
here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../..")
out=${1:?usage: screenshots.sh OUTPUT_FOLDER [BUILD_FOLDER]}
build=$(readlink -f "${2:-$root/build}")
mkdir -p "$out"
out=$(readlink -f "$out")
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
# No tests/gui/NAME may be stale, and the pseudo-locale is made from today's strings.
ninja -C "$build" --quiet tests/gui/fen-screenshots core/cli/fenestra-cli pseudo-locale >/dev/null

# Real runs, made once: finished, stopped early by a kill, failed, damaged.
"$here/screenshot-runs.sh" "$build/core/cli/fenestra-cli" "$home/data" >"$home/runs.log" 2>&1 ||
  { cat "$home/runs.log" >&2; exit 1; }

# Numbers and dates in the language's own form need its locale; the system may lack it.
locales="$home/locales"
mkdir -p "$locales"
for name in de_DE ar_EG; do
  localedef -i $name -f UTF-8 "$locales/$name.UTF-8" 2>/dev/null || echo "no locale $name: numbers stay English" >&2
done

variants=${FENESTRA_VARIANTS-}
if [ -z "$variants" ]; then
  for language in en de rtl; do
    for scheme in light dark; do
      for size in 1024x600 1400x900; do variants="$variants $language-$scheme-$size"; done
    done
  done
  variants="$variants pseudo-light-1024x600 pseudo-light-1400x900"
  variants="$variants en-contrast-1024x600 en-darkcontrast-1024x600 en-light-1024x600@1.5 de-light-1024x600@2"
fi

: >"$out/clipped.txt"
for variant in $variants; do
  language=${variant%%-*}
  rest=${variant#*-}
  scheme=${rest%%-*}
  size=${rest#*-}
  scale=1
  case $size in *@*) scale=${size#*@} size=${size%@*} ;; esac
  contrast=0
  case $scheme in *contrast) contrast=1 scheme=${scheme%contrast} ;; esac
  case $language in
    en) locale=C.UTF-8 languages=en direction=ltr ;;
    de) locale=de_DE.UTF-8 languages=de direction=ltr ;;
    rtl) locale=ar_EG.UTF-8 languages=ar direction=rtl ;;
    pseudo) locale=C.UTF-8 languages=en@pseudo direction=ltr ;;
    *) echo "screenshots.sh: $variant: the language is en, de, rtl or pseudo" >&2; exit 2 ;;
  esac
  [ -d "$locales/$locale" ] || locale=C.UTF-8
  rm -rf "$home/profile"
  cp -r "$home/data" "$home/profile"
  echo "$variant"
  env HOME="$home/profile" XDG_DATA_HOME="$home/profile" XDG_CONFIG_HOME="$home/profile/config" \
    XDG_CACHE_HOME="$home/cache" XDG_STATE_HOME="$home/profile/state" \
    LOCPATH="$locales" LC_ALL=$locale LANGUAGE=$languages FENESTRA_LOCALE_DIR="$build/po" \
    FENESTRA_DATA_DIR="$root/data" GSETTINGS_SCHEMA_DIR="$build/data" GSETTINGS_BACKEND=memory \
    GSK_RENDERER=cairo GDK_BACKEND=x11 GTK_A11Y=test NO_AT_BRIDGE=1 GIO_USE_VFS=local OPENBLAS_NUM_THREADS=1 \
    ADW_DEBUG_COLOR_SCHEME=prefer-${scheme:-light} ADW_DEBUG_HIGH_CONTRAST=$contrast \
    "$here/headless.sh" "$build/tests/gui/fen-screenshots" "$out/$variant" $size $direction $scale \
    2>"$home/stderr.log" >"$home/clipped.log" || { cat "$home/stderr.log" >&2; exit 1; }
  # What is in brackets is ours; a name that a person gave may be cut off at the end.
  if [ $language = pseudo ]; then grep -F '[' "$home/clipped.log" | sed "s/^/$variant: /" >>"$out/clipped.txt" || true; fi
done
echo "$(find "$out" -name '*.png' | wc -l) pictures in $out"
if [ -s "$out/clipped.txt" ]; then
  echo "text without room, see $out/clipped.txt:"
  cat "$out/clipped.txt"
  exit 1
fi
