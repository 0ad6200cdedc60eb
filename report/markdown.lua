-- Reads texts separated by NUL from standard input; writes the syntax tree of each as one line of JSON.
local extensions = 'markdown-raw_tex-raw_html-raw_attribute-latex_macros'
for text in (io.read('a') .. '\0'):gmatch('([^\0]*)\0') do
  io.write(pandoc.write(pandoc.read(text, extensions), 'json'), '\n')
end
